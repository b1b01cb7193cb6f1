/**
 * `<da-theme>`: a button that changes between dark and light, for all pages of this browser.
 *
 * What is chosen stands as `data-theme` on the root of the page, whose style sheet says what that looks like.
 */
import ownStyle from "./da-theme.css";
import { chooseTheme, isDark, showChosenTheme, THEME_EVENT } from "./theme.ts";

export class DaTheme extends HTMLElement {
  readonly #button: HTMLButtonElement;
  readonly #show = () => {
    const text = this.#isLight ? "Dark theme" : "Light theme";
    this.#button.title = text;
    this.#button.setAttribute("aria-label", text);
  };

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML =
      `<style>${ownStyle}</style><button type="button"><svg viewBox="0 0 16 16" aria-hidden="true">` +
      '<path fill-rule="evenodd" d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6v10.8A5.4 5.4 0 0 1 8 2.6Z"/></svg></button>';
    this.#button = root.querySelector("button") as HTMLButtonElement;
    this.#button.addEventListener("click", () => chooseTheme(this.#isLight ? "dark" : "light"));
  }

  connectedCallback(): void {
    addEventListener(THEME_EVENT, this.#show);
    showChosenTheme();
    this.#show();
  }

  disconnectedCallback(): void {
    removeEventListener(THEME_EVENT, this.#show);
  }

  get #isLight(): boolean {
    return isDark(getComputedStyle(this).color);
  }
}
