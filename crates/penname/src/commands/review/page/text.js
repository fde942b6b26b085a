// Texts of strangers, shown as texts: everything here makes text nodes and elements, and nothing markup.

// Control characters, marks that turn the direction of text, tags and replacement characters. Joiners
// belong to some scripts and to emoji, and are shown as what they are.
const ODD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]|[\u{e0000}-\u{e007f}]/gu;

/** A new element with texts and elements in it; what is false is left out. */
export function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== false && child !== null && child !== undefined));
  return element;
}

/** Adds a text, with characters that nobody can see made visible and without effect. */
export function write(parent, text) {
  let at = 0;
  for (const found of text.matchAll(ODD)) {
    if (found.index > at) parent.append(text.slice(at, found.index));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parent.append(make("span", { class: "odd", title: "a character that is not seen, or not whole" }, "U+" + code));
    at = found.index + found[0].length;
  }
  if (at < text.length) parent.append(text.slice(at));
  return parent;
}

/** A text on its own. */
export function plain(text) {
  return write(make("span"), String(text));
}

/** What was written beside what is learned: pieces, each the same, cut or added. */
export function differences(parent, pieces) {
  const names = { same: "span", cut: "del", added: "ins" };
  for (const [change, text] of pieces) parent.append(write(make(names[change] ?? "span"), text));
  return parent;
}

/** `1 234`, as the program writes it. */
export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** About how long, in words. */
export function roughly(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute";
  if (minutes < 2) return "about a minute";
  if (minutes < 90) return `about ${minutes} minutes`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
