// Colours of scores, told apart by all eyes: from dark rust (0) over yellow to blue (1); those of the pictures.

export const ANCHORS = [
  [0.0, [0x9c, 0x2f, 0x0b]],
  [0.3, [0xe0, 0x70, 0x1f]],
  [0.55, [0xf7, 0xb4, 0x58]],
  [0.75, [0xfb, 0xe9, 0xb0]],
  [0.88, [0xcf, 0xe4, 0xf2]],
  [1.0, [0x86, 0xbc, 0xe4]],
];
export const UNSCORED = "#d5d9de";

/** Fill of a score given as a share of the full one; grey where there is none. */
export function colour(share) {
  if (share === null) return UNSCORED;
  const within = Math.min(Math.max(share, 0), 1);
  for (let k = 1; k < ANCHORS.length; k += 1) {
    const [low, first] = ANCHORS[k - 1];
    const [high, second] = ANCHORS[k];
    if (within <= high) {
      const part = (within - low) / (high - low);
      return "#" + first.map((a, c) => hex(a + part * (second[c] - a))).join("");
    }
  }
  throw new Error(`share ${share} is beyond the last colour`);
}

function hex(value) {
  return Math.round(value).toString(16).padStart(2, "0");
}

/** Relative luminance of #rrggbb (WCAG 2.2). */
function luminance(code) {
  const [red, green, blue] = [1, 3, 5]
    .map((k) => parseInt(code.slice(k, k + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Black or white, whichever reads better on a fill. */
export function inkOn(fill) {
  const ground = luminance(fill);
  return (ground + 0.05) / 0.05 >= 1.05 / (ground + 0.05) ? "#000000" : "#ffffff";
}

/** Colour an element by a score. */
export function paint(node, share) {
  const fill = colour(share);
  node.style.background = fill;
  node.style.color = inkOn(fill);
  return node;
}
