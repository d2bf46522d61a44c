/** Beside two pictures, a third: where they differ, in red over what both show. Made in the browser, of what it has. */

const mostPixels = 20_000_000;
/** Of a colour's part: what compression changes is none that a person sees. */
const tolerance = 12;

/** @param {Element} block */
async function difference(block) {
  const [before, now] = [...block.querySelectorAll('img')];
  if (before === undefined || now === undefined) return;
  for (const image of [before, now]) image.loading = 'eager';
  await Promise.all([before.decode(), now.decode()]);
  const [width, height] = [
    Math.max(before.naturalWidth, now.naturalWidth),
    Math.max(before.naturalHeight, now.naturalHeight),
  ];
  if (width * height === 0 || width * height > mostPixels) return;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return;
  const pixels = (/** @type {HTMLImageElement} */ image) => {
    context.clearRect(0, 0, width, height);
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height);
  };
  const [old, shown] = [pixels(before), pixels(now)];
  const [from, to] = [old.data, shown.data];
  let changed = 0;
  for (let at = 0; at < to.length; at += 4) {
    const differs = [0, 1, 2, 3].some((part) => Math.abs((from[at + part] ?? 0) - (to[at + part] ?? 0)) > tolerance);
    if (differs) changed += 1;
    const grey = 200 + ((to[at] ?? 0) + (to[at + 1] ?? 0) + (to[at + 2] ?? 0)) / 14;
    to.set(differs ? [214, 24, 52, 255] : [grey, grey, grey, 255], at);
  }
  context.putImageData(shown, 0, 0);
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  const percent = (100 * changed) / (width * height);
  const sizes =
    before.naturalWidth === now.naturalWidth && before.naturalHeight === now.naturalHeight ? '' : ', sizes differ';
  caption.textContent = `Difference: ${changed === 0 ? 'none to be seen' : percent < 0.1 ? 'below 0.1 %' : `${percent.toFixed(1)} %`}${sizes}`;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', caption.textContent);
  figure.append(caption, canvas);
  block.append(figure);
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    // A picture that the browser cannot show has no difference to show either.
    difference(target).catch(() => target.classList.add('undecided'));
  }
});
for (const block of document.querySelectorAll('[data-difference]')) seen.observe(block);
