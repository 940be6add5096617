// Keys and buttons → what they do.

const ANSWERS = { ArrowLeft: "one", ArrowRight: "other", ArrowDown: "same", ArrowUp: "cannot tell", x: "bad clip" };

export function connect(work) {
  const { player } = work;
  const half = document.getElementById("half");
  const actions = {
    replay: () => player.replay(),
    pause: () => (player.playing ? player.pause() : player.goOn()),
    half: () => half.setAttribute("aria-pressed", String(player.toggleHalf())),
    clear: () => player.clearLoop(),
    undo: () => work.undo(),
  };
  const keys = {
    " ": actions.replay,
    r: actions.replay,
    p: actions.pause,
    h: actions.half,
    l: actions.clear,
    u: actions.undo,
    "[": () => player.loop(player.seconds, player.span?.[1] ?? player.length),
    "]": () => player.loop(player.span?.[0] ?? 0, player.seconds),
  };
  for (const [key, answer] of Object.entries(ANSWERS)) keys[key] = () => work.answer(answer);

  for (const [id, act] of Object.entries(actions)) onPress(document.getElementById(id), act);
  for (const button of document.querySelectorAll("[data-answer]")) onPress(button, () => work.answer(button.dataset.answer));

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const act = keys[key.length === 1 ? key.toLowerCase() : key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey || document.getElementById("work").hidden) return;
    if (target.matches("input") || (key === " " && target.matches("button, summary"))) return;
    event.preventDefault();
    if (!event.repeat) act();
  });
}

// A button that the mouse pressed gives the focus back: Space would press it again, and not replay.
function onPress(button, act) {
  button.addEventListener("click", (event) => {
    if (event.detail > 0) button.blur();
    if (event.detail < 2) act(); // the second of a double click is none
  });
}
