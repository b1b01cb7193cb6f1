/** Bounds on foreign input, so that it can't fill the memory. */

/** Metrics of one device: more than any device has. */
export const MAX_METRICS = 1000;

/** Characters in the name of a device or a metric. */
export const MAX_NAME_LENGTH = 256;
