/**
 * What every page behind the login loads: shows who is there, says when the session has ended, and lets somebody log in
 * again in place, so that the page goes on where it was. In the editor it also sends the token with every change.
 */
import styles from "./session.css";

/** Who is logged in; without a name nobody, and then the token is that with which to log in. */
interface Session {
  name?: string;
  role?: string;
  token: string;
  /** Until it ends. */
  seconds?: number;
  /** Where the editor is, for those who may use it. */
  editor?: string;
}

/** How often a page asks whether the session goes on, ms. */
const INTERVAL = 10_000;

const script = (document.currentScript as HTMLScriptElement).src;
const isEditor = "RED" in window;
/** Where the login's pages are. */
const base = isEditor ? new URL("../ui/", document.baseURI) : new URL("./", script);

const loginForm = document.querySelector<HTMLInputElement>('form[action="login"] input[name="next"]');
// A page's place within the dashboard stands behind the #, which browsers keep to themselves.
if (loginForm) loginForm.value += location.hash;
else watchSession();

function watchSession(): void {
  const root = document.createElement("div").attachShadow({ mode: "open" });
  root.innerHTML = `<style>${styles}</style><div class="who"></div>
<dialog aria-labelledby="title"><form><b id="title">Your session has ended</b>
<span>Log in again to go on where you were.</span>
<label>Name <input name="name" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<span class="problem" role="alert"></span><button>Log in</button></form></dialog>`;
  document.body.append(root.host);
  const find = <T extends Element>(selector: string) => root.querySelector(selector) as T;
  const who = find<HTMLElement>(".who");
  const dialog = find<HTMLDialogElement>("dialog");
  const form = find<HTMLFormElement>("form");
  const problem = find<HTMLElement>(".problem");
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;

  let first: Session | undefined;
  let current: Session | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function check(): Promise<void> {
    clearTimeout(timer);
    try {
      const response = await fetch(new URL("session", base), { cache: "no-store" });
      if (response.ok) show(await response.json());
    } catch {
      // The server is away, which the page says by itself.
    }
    const left = 1000 * (current?.seconds ?? Number.POSITIVE_INFINITY);
    clearTimeout(timer);
    timer = setTimeout(check, Math.min(INTERVAL, Math.max(left, 0) + 200));
  }

  function show(session: Session): void {
    current = session;
    if (!session.name) {
      if (dialog.open) return;
      field("name").value = first?.name ?? "";
      problem.textContent = "";
      dialog.showModal();
      field(first ? "password" : "name").focus();
      return;
    }
    if (first && (first.name !== session.name || first.role !== session.role)) {
      location.reload();
      return;
    }
    first ??= session;
    dialog.close();
    if (!isEditor) showWho(session);
  }

  function showWho({ name, role, editor }: Session): void {
    if (who.childElementCount > 0) return;
    // For styles that hide what a role may not use.
    document.documentElement.dataset.role = role;
    const user = document.createElement("span");
    user.textContent = `${name} (${role})`;
    who.append(user);
    if (editor) who.append(link("Users", "users"), link("Editor", editor));
    const button = document.createElement("button");
    button.textContent = "Log out";
    button.addEventListener("click", logOut);
    who.append(button);
  }

  function link(text: string, path: string): HTMLElement {
    const element = document.createElement("a");
    element.href = new URL(path, base).href;
    element.textContent = text;
    return element;
  }

  const post = (path: string, fields: Record<string, string>) =>
    fetch(new URL(path, base), {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams({ ...fields, csrf: current?.token ?? "" }),
    });

  async function logOut(): Promise<void> {
    await check();
    await post("logout", {});
    location.assign(new URL("login", base));
  }

  async function logIn(): Promise<void> {
    const response = await post("login", { name: field("name").value, password: field("password").value });
    const answer = await response.json().catch(() => ({ error: "That did not work. Try again." }));
    field("password").value = "";
    problem.textContent = response.ok ? "" : answer.error;
    if (response.ok) show(answer);
    await check();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void logIn();
  });
  // Only a login closes it.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // The dashboard and the editor take keys for themselves.
  for (const type of ["keydown", "keypress", "keyup"])
    dialog.addEventListener(type, (event) => event.stopPropagation());
  addEventListener("focus", () => void check());
  if (isEditor) sendToken(() => void check());
  void check();
}

/** Every change that the editor asks for carries the token of the session. */
function sendToken(onRefusal: () => void): void {
  const token = () => /(?:^|; )device-analytics-token=([^;]+)/.exec(document.cookie)?.[1] ?? "";
  $.ajaxPrefilter(({ crossDomain, type = "GET" }, _original, request) => {
    if (!crossDomain && !/^(GET|HEAD)$/i.test(type)) request.setRequestHeader("X-CSRF-Token", token());
  });
  $(document).on("ajaxError", (_event: unknown, { status }: { status: number }) => {
    if (status === 401 || status === 403) onRefusal();
  });
}
