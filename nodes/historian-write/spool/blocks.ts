/** How the spool's records stand in a file: blocks of one or several appends, each with a header and a checksum. */
import { crc32 } from "node:zlib";

/**
 * Magic, CRC 32 of all that follows it, length of the payload, readings in it, number of the first reading (64 bits): in
 * little-endian order.
 */
export const HEADER_BYTES = 24;

/** No text in UTF-8 holds these bytes. */
const MAGIC = Buffer.from([0xf5, 0xd5, 0xff, 0xf8]);
const CHECKED = 8;

/** One block; its payload begins HEADER_BYTES after `offset`. */
export interface Block {
  offset: number;
  /** Bytes of its payload. */
  length: number;
  /** Number of its first reading. */
  first: number;
  /** Readings. */
  count: number;
}

/** Writes the header of a block, whose payload is in its place. */
export function sealBlock(buffer: Buffer, { offset, length, first, count }: Block): void {
  MAGIC.copy(buffer, offset);
  buffer.writeUInt32LE(length, offset + 8);
  buffer.writeUInt32LE(count, offset + 12);
  buffer.writeBigUInt64LE(BigInt(first), offset + 16);
  buffer.writeUInt32LE(checksum(buffer, offset, length), offset + 4);
}

/** What the header at an offset says, whether it is true or not; undefined when there is none. */
export function blockAt(buffer: Buffer, offset: number): Block | undefined {
  if (offset + HEADER_BYTES > buffer.length || buffer.compare(MAGIC, 0, 4, offset, offset + 4) !== 0) return undefined;
  const first = Number(buffer.readBigUInt64LE(offset + 16));
  const count = buffer.readUInt32LE(offset + 12);
  if (count === 0 || !Number.isSafeInteger(first + count)) return undefined;
  return { offset, length: buffer.readUInt32LE(offset + 8), first, count };
}

/** True if the block is in the buffer as it was written. */
export function isWhole(buffer: Buffer, { offset, length }: Block): boolean {
  return (
    offset + HEADER_BYTES + length <= buffer.length &&
    buffer.readUInt32LE(offset + 4) === checksum(buffer, offset, length)
  );
}

/** Where the next block may begin, after an offset at which there is none; the end of the buffer if there is none. */
export function nextMagic(buffer: Buffer, offset: number): number {
  const found = buffer.indexOf(MAGIC, offset + 1);
  // The last bytes may be the beginning of one.
  return found < 0 ? Math.max(offset + 1, buffer.length - MAGIC.length + 1) : found;
}

function checksum(buffer: Buffer, offset: number, length: number): number {
  return crc32(buffer.subarray(offset + CHECKED, offset + HEADER_BYTES + length));
}
