/** How well a page can be read: contrast of its texts and of what marks the focus, by WCAG 2.2. Runs in the browser. */

export interface Contrast {
  text: string;
  /** From 1 to 21. */
  ratio: number;
  /** What WCAG AA wants of it: 4.5, of large text 3. */
  wanted: number;
}

/** The contrast of every text that can be seen on the page, also within elements. */
export function contrasts(): Contrast[] {
  type Colour = [red: number, green: number, blue: number, alpha: number];
  const found: Contrast[] = [];
  visit(document.body);
  return found;

  function visit(element: Element): void {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    if (element.matches(":disabled, [aria-disabled=true], option, canvas")) return;
    for (const child of (element.shadowRoot ?? element).childNodes) {
      if (child instanceof Element) visit(child);
      else if (child.nodeType === Node.TEXT_NODE && child.textContent?.trim()) judge(element, child.textContent.trim());
    }
    if (element instanceof HTMLSelectElement) judge(element, element.value);
    if (element instanceof HTMLInputElement && element.placeholder)
      judge(element, element.placeholder, "::placeholder");
  }

  function judge(element: Element, text: string, part?: string): void {
    const { width, height } = element.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    const style = getComputedStyle(element, part);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ground = groundOf(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    ink[3] *= opacityOf(element) * Number(style.opacity) ** (part ? 1 : 0);
    found.push({ text: text.slice(0, 40), ratio: ratioOf(over(ink, ground), ground), wanted: isLarge ? 3 : 4.5 });
  }

  function parentOf(element: Element): Element | null {
    const root = element.getRootNode();
    return element.assignedSlot ?? element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
  }

  function ancestors(element: Element): Element[] {
    const line: Element[] = [];
    for (let each: Element | null = element; each; each = parentOf(each)) line.push(each);
    return line;
  }

  function opacityOf(element: Element): number {
    return ancestors(element).reduce((product, each) => product * Number(getComputedStyle(each).opacity), 1);
  }

  /** What lies behind: the backgrounds of all ancestors, or of the title bar for what floats over it. */
  function groundOf(element: Element): Colour {
    const line = ancestors(element);
    const floats = line.some((each) => getComputedStyle(each).position === "fixed" && each.matches(".who, da-theme"));
    const behind = floats ? ancestors(document.querySelector("md-toolbar") as Element) : [];
    const base: Colour = [255, 255, 255, 1];
    return [...line, ...behind]
      .reverse()
      .reduce((ground, each) => over(parse(getComputedStyle(each).backgroundColor), ground), base);
  }

  function parse(colour: string): Colour {
    const numbers = (colour.match(/[\d.]+(e-?\d+)?/g) ?? []).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    const [red = 0, green = 0, blue = 0, alpha = 1] = numbers;
    return [red * scale, green * scale, blue * scale, alpha];
  }

  function over([red, green, blue, alpha]: Colour, ground: Colour): Colour {
    const mix = (a: number, b: number) => a * alpha + b * (1 - alpha);
    return [mix(red, ground[0]), mix(green, ground[1]), mix(blue, ground[2]), 1];
  }

  function ratioOf(a: Colour, b: Colour): number {
    const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  }

  function luminance([red, green, blue]: Colour): number {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
}

/** What has the focus, and whether an outline of 2 px at least shows it; undefined when nothing has it. */
export function focused(): { name: string; isShown: boolean } | undefined {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  if (!element || element === document.body) return undefined;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const isShown = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2;
  const label = element.getAttribute("aria-label") ?? element.textContent ?? "";
  return { name: `${element.tagName.toLowerCase()} ${label.trim().slice(0, 30)}`, isShown };
}
