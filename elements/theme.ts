/**
 * The theme of a page: what a browser has chosen stands as `data-theme` on the root, for style sheets. Without a choice
 * there is no attribute, and the page is as it is made. The choice is a cookie, so that a server can send pages in it.
 */

export type Theme = "dark" | "light";

/** Dispatched on the window when another theme is shown. */
export const THEME_EVENT = "device-analytics-theme";

const COOKIE = "device-analytics-theme";
const YEAR = 365 * 24 * 3600;

/** Shows what this browser has chosen before. */
export function showChosenTheme(): void {
  const [, theme] = new RegExp(`(?:^|; )${COOKIE}=(dark|light)(?:;|$)`).exec(document.cookie) ?? [];
  if (theme) show(theme);
}

/** Chooses for all pages of this browser. */
export function chooseTheme(theme: Theme): void {
  // The Cookie Store API is not there without HTTPS.
  Object.assign(document, { cookie: `${COOKIE}=${theme}; Path=/; Max-Age=${YEAR}; SameSite=Lax` });
  show(theme);
}

function show(theme: string): void {
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event(THEME_EVENT));
}

/** Whether a colour, as computed styles give it, is nearer to black: then what it stands on is light. */
export function isDark(colour: string): boolean {
  const [red = 255, green = 255, blue = 255] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue < 128;
}
