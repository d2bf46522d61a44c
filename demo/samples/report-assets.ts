/** The style and the script of the HTML report: files of their own in it, loaded by every page. */

export const reportStyle = `:root { --from: #2563eb; --to: #0ea5e9; --ink: #1e293b; --page: #f4f6fb; --good: #059669; --bad: #dc2626; }
.redesign { --from: #7c3aed; --to: #ec4899; --ink: #2e1065; --page: #faf6ff; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header { display: flex; align-items: center; gap: .75rem; padding: 1rem max(1rem, 50vw - 25rem); color: #fff;
  background: linear-gradient(90deg, var(--from), var(--to)); }
header h1 { font-size: 1.15rem; margin: 0; }
header p { margin: 0 0 0 auto; opacity: .85; font-size: .875rem; }
main { max-width: 50rem; margin: 1.5rem auto; padding: 0 1rem; }
a { color: var(--from); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; }
.tile, .card { background: #fff; border-radius: .9rem; box-shadow: 0 4px 18px rgb(20 24 60 / .08); padding: 1rem 1.25rem; }
.tile b { display: block; font-size: 1.7rem; }
.tile span, .quiet, figcaption { color: #64748b; font-size: .875rem; }
.tile.good b { color: var(--good); } .tile.bad b { color: var(--bad); }
.card { margin-top: 1.25rem; } .card h2 { margin: 0 0 .5rem; font-size: 1.05rem; }
.card img { max-width: 100%; height: auto; border-radius: .5rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } figure { margin: 0; }
table { width: 100%; border-collapse: collapse; } th, td { text-align: left; padding: .45rem .25rem; border-top: 1px solid #e8ebf4; }
th { border: 0; color: #64748b; font-weight: 500; font-size: .875rem; } .number { text-align: right; float: none; margin-left: auto; }
meter { width: 8rem; } input { width: 100%; padding: .5rem .75rem; border: 1px solid #d5daea; border-radius: .5rem; font: inherit; }
.dot { display: inline-block; width: .65rem; height: .65rem; border-radius: 50%; margin-right: .6rem; background: #cbd0de; }
.dot.good { background: var(--good); } .dot.bad { background: var(--bad); }
.cases { list-style: none; padding: 0; margin: 0; } .cases li { padding: .45rem 0; border-top: 1px solid #e8ebf4; }
.cases .number { float: right; color: #64748b; } pre { overflow-x: auto; background: #1e1b2e; color: #f8d7e3; padding: .9rem; border-radius: .5rem; }
`;

export const reportScript = `const filter = document.querySelector('#filter');
filter?.addEventListener('input', () => {
  for (const row of document.querySelectorAll('tbody tr')) {
    row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  }
});

// Written by the page itself, from its data: without scripts it is not there.
const slowest = document.querySelector('#slowest');
if (slowest) {
  const { suites } = await (await fetch('data/results.json')).json();
  const cases = suites.flatMap(({ name, cases }) => cases.map((each) => ({ ...each, suite: name })));
  const rows = cases.sort((a, b) => b.seconds - a.seconds).slice(0, 8).map(({ name, suite, seconds }) => {
    const row = document.createElement('li');
    const time = document.createElement('span');
    time.className = 'number';
    time.textContent = seconds.toFixed(2) + ' s';
    row.append(time, name + ' · ' + suite);
    return row;
  });
  slowest.querySelector('ul').replaceChildren(...rows);
}
`;
