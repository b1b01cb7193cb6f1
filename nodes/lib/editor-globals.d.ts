/** What the editor's page offers to the editor half of a node, as far as it is used here. */
declare const RED: {
  nodes: { registerType(type: string, definition: object): void };
  /** Shows what `content` gives while the mouse rests on the target; nothing when it gives null. */
  popover: { tooltip(target: JQuery, content: () => string | null): void };
};
