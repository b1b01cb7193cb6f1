/** What a customer would find wrong at a form by looking at it. */
import type { Locator } from "playwright-core";

/** Least ratio of the luminances of a text and of what it stands on (WCAG 2, level AA). */
const LEAST_CONTRAST = 4.5;

/** A visible piece of a form: a label, a field, a unit, a cell of a table. */
interface Part {
  name: string;
  /** What it shows, or of a choice may show. */
  texts: string[];
  /** Some of that doesn't fit into it, or not on one line. */
  isCut: boolean;
  /** The row of the form that it stands in, if that is one of a label and a field. */
  row: number;
  isField: boolean;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** What is wrong with the layout of a form: empty, cut, overlapping, out of line, raw keys instead of texts. */
export async function layoutProblems(form: Locator): Promise<string[]> {
  const { parts, left, right } = await form.evaluate(measure);
  const problems: string[] = [];
  const lineUp = parts.find((part) => part.isField)?.left ?? 0;
  for (const [index, part] of parts.entries()) {
    const { name, texts } = part;
    if (texts.includes("")) problems.push(`${name} is empty`);
    if (part.isCut) problems.push(`${name} is cut: ${texts}`);
    if (texts.some((text) => /^[a-z]\w*(\.\w+)+$/i.test(text))) problems.push(`${name} shows a key: ${texts}`);
    if (part.left < left || part.right > right) problems.push(`${name} reaches out of the form`);
    if (part.isField && Math.abs(part.left - lineUp) > 1) problems.push(`${name} is out of line`);
    for (const other of parts.slice(index + 1)) {
      const width = Math.min(part.right, other.right) - Math.max(part.left, other.left);
      const height = Math.min(part.bottom, other.bottom) - Math.max(part.top, other.top);
      if (width > 1 && height > 1) problems.push(`${name} overlaps ${other.name}`);
      if (part.row >= 0 && part.row === other.row && height < 0) problems.push(`${name} is not beside ${other.name}`);
    }
  }
  return problems;
}

/** Runs in the page. */
function measure(form: Element): { parts: Part[]; left: number; right: number } {
  const SELECTOR =
    "label, input, select, button, summary, span, [data-i18n]:not(option), .red-ui-editableList-header div";
  /** Width of the arrow of a select. */
  const ARROW = 20;
  const frame = form.getBoundingClientRect();
  const rows = [...form.querySelectorAll(".form-row:not(:has(ol))")];
  const pen = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
  const parts = [...form.querySelectorAll<HTMLElement>(SELECTOR)]
    .filter((part) => part.checkVisibility() && !part.querySelector(SELECTOR))
    // Node-RED's traps for password managers lie far above.
    .filter((part) => part.getBoundingClientRect().bottom > frame.top)
    // Its typed input holds an empty place for an icon.
    .filter((part) => part.textContent !== "" || !part.matches(".red-ui-typedInput-container span"))
    .map((part) => {
      const { left, right, top, bottom } = part.getBoundingClientRect();
      const style = getComputedStyle(part);
      pen.font = style.font;
      const padding = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
      const doesNotFit = (text: string, room: number) => pen.measureText(text).width > room + 1;
      let texts: string[] = [];
      const range = document.createRange();
      range.selectNodeContents(part);
      const isWrapped = range.getBoundingClientRect().height > 1.5 * Number.parseFloat(style.lineHeight);
      let isCut = isWrapped || (part.clientWidth > 0 && part.scrollWidth > part.clientWidth + 1);
      if (part instanceof HTMLSelectElement) {
        texts = [...part.options].map((option) => option.text);
        isCut = texts.some((text) => doesNotFit(text, part.clientWidth - padding - ARROW));
      } else if (part instanceof HTMLInputElement) {
        const text = part.type === "text" ? part.value || part.placeholder : "";
        if (text !== "") texts = [text];
        isCut = doesNotFit(text, part.clientWidth - padding);
      } else {
        texts = [(part.textContent ?? "").trim()];
      }
      return {
        ...{ name: `${part.tagName} ${part.id || part.textContent}`, texts, isCut, left, right, top, bottom },
        row: rows.findIndex((row) => row.contains(part)),
        isField: part.matches(".form-row > label + *") && !part.closest("li"),
      };
    });
  return { parts, left: frame.left, right: frame.right };
}

/** Texts among the elements that are hard to read on what they stand on, with their contrast. */
export async function faintTexts(elements: Locator): Promise<string[]> {
  const texts = await elements.evaluateAll((elements) => {
    const pen = document
      .createElement("canvas")
      .getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
    const luminance = () => {
      const [red = 0, green = 0, blue = 0] = [...pen.getImageData(0, 0, 1, 1).data].map((byte) => {
        const part = byte / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const paint = (colour: string) => {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
    };
    const textOf = (element: Element) =>
      element instanceof HTMLInputElement ? element.value : (element.textContent ?? "");
    return elements
      .filter((element) => element.checkVisibility() && textOf(element).trim())
      .map((element) => {
        const ancestors: Element[] = [];
        for (let each: Element | null = element; each; each = each.parentElement) ancestors.unshift(each);
        paint("white");
        for (const each of ancestors) {
          const shape = each.querySelector(":scope > rect.red-ui-flow-node");
          paint(shape ? getComputedStyle(shape).fill : getComputedStyle(each).backgroundColor);
        }
        const background = luminance();
        const { fill, color } = getComputedStyle(element);
        paint(element instanceof SVGElement ? fill : color);
        const [dark = 0, light = 0] = [background, luminance()].sort((a, b) => a - b);
        return { text: textOf(element), contrast: (light + 0.05) / (dark + 0.05) };
      });
  });
  if (texts.length === 0) throw new Error("there is no text to look at");
  return texts
    .filter(({ contrast }) => contrast < LEAST_CONTRAST)
    .map(({ text, contrast }) => `${text}: ${contrast.toFixed(1)}`);
}
