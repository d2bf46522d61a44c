/** Reports written by hand: two that use all that a built web app may, beyond what any one tool does, and one that tries all that it may not. */

/** A manager page with a preview frame, as Storybook builds them, and every kind of part that such an app is made of. */
export const appOfManyFiles: Record<string, string | Buffer> = {
  'index.html': `<!doctype html><title>stories</title><link rel=stylesheet href=sb-manager/style.css>
    <iframe id=preview src="iframe.html?id=button--primary"></iframe><script type=module src=sb-manager/app.js></script>`,
  'sb-manager/style.css': 'body { margin: 1rem }',
  'sb-manager/app.js': `
    const heard = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data)));
    const ask = (worker) => new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); worker.postMessage(41); });
    const { lazy } = await import('./lazy.js');
    const index = await (await fetch('index.json')).json();
    const source = 'onmessage = ({ data }) => postMessage(data + 2)';
    const wasm = await WebAssembly.instantiateStreaming(fetch('add.wasm'));
    localStorage.setItem('theme', 'dark');
    await navigator.serviceWorker.register('sw.js');
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) await new Promise((resolve) => (navigator.serviceWorker.oncontrollerchange = resolve));
    const done = document.createElement('pre');
    done.id = 'done';
    done.textContent = JSON.stringify({
      lazy, index: index.stories.length, frame: await heard,
      worker: await ask(new Worker(new URL('worker.js', import.meta.url), { type: 'module' })),
      blobWorker: await ask(new Worker(URL.createObjectURL(new Blob([source])))),
      wasm: wasm.instance.exports.add(1, 2), stored: new Function('return localStorage.getItem("theme")')(),
      serviceWorker: await (await fetch('virtual/story')).text(),
    });
    document.body.append(done);`,
  'sb-manager/lazy.js': `export const lazy = 'imported';`,
  'sb-manager/worker.js': 'onmessage = ({ data }) => postMessage(data + 1);',
  'index.json': '{"stories":["button--primary","button--other"]}',
  'iframe.html': `<!doctype html><title>preview</title><div id=root></div><script>
    document.querySelector('#root').innerHTML = '<button>Button</button>';
    setTimeout(() => parent.postMessage('rendered ' + document.querySelector('button').textContent, location.origin), 200);
  </script>`,
  'sw.js': `oninstall = () => skipWaiting(); onactivate = (event) => event.waitUntil(clients.claim());
    onfetch = (event) => { if (event.request.url.includes('/virtual/')) event.respondWith(new Response('made up by the service worker')); };`,
  // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
  'add.wasm': Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex'),
};

/**
 * One page that routes by its hash and by its query, reads its results by relative addresses, and shows attachments in
 * frames, as Allure builds its reports and Storybook its addresses.
 */
export const appOfOnePage: Record<string, string> = {
  'index.html': `<!doctype html><title>suites</title><base target=_self><div id=view></div><a id=suite href="#suites/cart/empty">cart</a>
    <a id=story href="?path=/story/button--primary">story</a><script src=app.js defer></script>`,
  'app.js': `
    const view = document.querySelector('#view');
    const old = (url) => new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.onload = () => resolve(request.responseText);
      request.onerror = reject;
      request.open('GET', url);
      request.send();
    });
    const frame = (set) => new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.onload = () => resolve(frame.contentDocument?.body?.textContent ?? 'closed');
      set(frame);
      document.body.append(frame);
    });
    const stored = () => new Promise((resolve, reject) => {
      const opening = indexedDB.open('history', 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore('runs').put(7, 'last');
      opening.onerror = reject;
      opening.onsuccess = () => { opening.result.transaction('runs').objectStore('runs').get('last').onsuccess = ({ target }) => resolve(target.result); };
    });
    const channel = () => new Promise((resolve) => {
      const [one, two] = [new BroadcastChannel('stories'), new BroadcastChannel('stories')];
      two.onmessage = ({ data }) => resolve(data);
      one.postMessage('heard');
    });
    async function show() {
      const [, suite, name] = location.hash.split('/');
      const story = new URLSearchParams(location.search).get('path');
      if (story) { view.textContent = 'story ' + story; return; }
      if (!name) { view.textContent = 'overview'; return; }
      const result = await (await fetch('data/test-cases/' + suite + '.json')).json();
      const attachment = 'data/attachments/' + result.attachment;
      const text = await old(attachment);
      view.textContent = JSON.stringify({
        name, outcome: result[name], text, inFrame: await frame((frame) => (frame.src = attachment)),
        ofBlob: await frame((frame) => (frame.src = URL.createObjectURL(new Blob([text], { type: 'text/plain' })))),
        written: await frame((frame) => { frame.sandbox = 'allow-same-origin'; frame.srcdoc = '<b>' + text + '</b>'; }),
        stored: await stored(), channel: await channel(), session: (sessionStorage.setItem('tab', 'x'), sessionStorage.getItem('tab')),
      });
    }
    addEventListener('hashchange', show);
    show();`,
  'data/test-cases/cart.json': '{"empty":"failed","attachment":"a1 b2.txt"}',
  'data/attachments/a1 b2.txt': 'what the test saw',
};

/** Tries every way to read each target and to call out, and writes down what came of it: `nothing`, or what it got. */
export function thief(targets: readonly string[]): string {
  return `<!doctype html><title>A</title><script>
    const loot = {};
    const patient = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 1500, 'nothing'))]);
    const attempt = async (name, act) => {
      try { loot[name] = String((await patient(act())) ?? 'nothing'); } catch { loot[name] = 'nothing'; }
    };
    const loaded = (element, set, read) => new Promise((resolve) => {
      element.onload = () => resolve(read ? read(element) : 'loaded');
      element.onerror = () => resolve('nothing');
      set(element);
      document.body.append(element);
    });
    const make = (tag) => document.createElement(tag);
    const refused = (response) => (response.status === 404 || response.status === 405 ? 'nothing' : response.status + ' ' + response.url);
    const ways = {
      fetch: async (url) => refused(await fetch(url, { credentials: 'include' })),
      opaque: async (url) => { const response = await fetch(url, { mode: 'no-cors', credentials: 'include' }); return response.type === 'opaque' ? 'opaque' : refused(response); },
      frame: (url) => loaded(make('iframe'), (frame) => (frame.src = url), (frame) => {
        try { const text = frame.contentDocument?.body?.textContent ?? ''; return text === '' || text.includes('ERR_NOT_FOUND') ? 'nothing' : text; } catch { return 'nothing'; }
      }),
      script: (url) => loaded(make('script'), (script) => (script.src = url)),
      style: (url) => loaded(make('link'), (link) => { link.rel = 'stylesheet'; link.href = url; }, (link) => { try { return link.sheet.cssRules.length || 'nothing'; } catch { return 'nothing'; } }),
      image: (url) => loaded(make('img'), (image) => (image.src = url)),
      object: (url) => loaded(make('object'), (object) => (object.data = url), (object) => { try { const text = object.contentDocument?.body?.textContent ?? ''; return text.includes('ERR_') ? 'nothing' : text || 'nothing'; } catch { return 'nothing'; } }),
      window: async (url) => {
        const opened = window.open(url);
        if (opened === null) return 'nothing';
        await new Promise((resolve) => setTimeout(resolve, 400));
        try { const text = opened.document.body.textContent; return text === '' || text.includes('ERR_') ? 'nothing' : text; } catch { return 'nothing'; } finally { opened.close(); }
      },
      worker: (url) => new Promise((resolve, reject) => {
        const source = 'fetch(' + JSON.stringify(new URL(url, location.href).href) + ', { credentials: "include" }).then((r) => postMessage(r.status >= 400 ? "nothing" : r.status), () => postMessage("nothing"))';
        new Worker(URL.createObjectURL(new Blob([source]))).onmessage = ({ data }) => resolve(data);
      }),
    };
    const general = {
      cookies: async () => document.cookie || 'nothing',
      opener: async () => (window.opener === null ? 'nothing' : 'an opener'),
      beacon: async () => { navigator.sendBeacon('http://127.0.0.1:1/', 'x'); return 'nothing'; },
      socket: () => new Promise((resolve) => { const socket = new WebSocket('ws://127.0.0.1:1/'); socket.onopen = () => resolve('open'); socket.onerror = () => resolve('nothing'); }),
      form: async () => { const form = make('form'); form.method = 'post'; form.action = ${JSON.stringify(targets[1])}; form.target = 'elsewhere'; document.body.append(form); form.submit(); return 'nothing'; },
      base: async () => { const base = make('base'); base.href = ${JSON.stringify(targets[1])}; document.head.append(base); const led = new URL('x', document.baseURI).origin; base.remove(); return led === location.origin ? 'nothing' : led; },
      wideServiceWorker: async () => { await navigator.serviceWorker.register('sw.js', { scope: '/' }); return 'registered for all'; },
      camera: async () => { await navigator.mediaDevices.getUserMedia({ video: true }); return 'camera'; },
      place: () => new Promise((resolve) => navigator.geolocation.getCurrentPosition(() => resolve('place'), () => resolve('nothing'))),
      domain: async () => { document.domain = 'localhost'; return document.domain === location.hostname ? 'nothing' : 'joined localhost'; },
    };
    addEventListener('load', async () => {
      for (const [name, act] of Object.entries(general)) await attempt(name, act);
      for (const target of ${JSON.stringify(targets)})
        await Promise.all(Object.entries(ways).map(([way, act]) => attempt(way + ' ' + target, () => act(target))));
      const told = make('pre');
      told.id = 'loot';
      told.textContent = JSON.stringify(loot);
      document.body.append(told);
    });
  </script>`;
}
