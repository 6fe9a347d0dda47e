/**
 * How much is unread, before the name of the browser's tab.
 *
 * Invariant: screens set the title without knowing of it; whatever they set, the number stays before it.
 */
export interface TitleBadge {
  show(count: number): void;
}

const badgePattern = /^\(\d+\+?\) /;

export function createTitleBadge(): TitleBadge {
  let badge = "";
  const apply = () => {
    const title = badge + document.title.replace(badgePattern, "");
    if (document.title !== title) document.title = title;
  };
  const element = document.querySelector("title");
  if (element !== null) new MutationObserver(apply).observe(element, { childList: true });
  return {
    show(count) {
      badge = count === 0 ? "" : `(${count > 99 ? "99+" : count}) `;
      apply();
    },
  };
}
