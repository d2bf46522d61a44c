/** The one style sheet, in every page: pages are files that stand alone. Colours meet WCAG AA on both grounds. */
export const style = `
:root{color-scheme:light dark;--ground:#f7f8fa;--paper:#fff;--ink:#1b2026;--quiet:#56606c;--line:#dfe3e8;--faint:#eef1f4;--link:#1a5dc0;--brand:#2f6fdb;
--good:#12652f;--good-ground:#dcf3e3;--bad:#a6162c;--bad-ground:#fde4e6;--busy:#7b4a00;--busy-ground:#fdefcf;--idle:#4a5460;--idle-ground:#e9ecf0;--mark:#fff3bf;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{--ground:#0e1116;--paper:#161a21;--ink:#e5e9ef;--quiet:#9aa5b3;--line:#2a313b;--faint:#1d232c;--link:#86b6ff;--brand:#78a9f7;
--good:#82dfa4;--good-ground:#12321f;--bad:#ff9aa6;--bad-ground:#43161d;--busy:#f3c873;--busy-ground:#3a2a08;--idle:#b3bdc9;--idle-ground:#262d37;--mark:#3a3210}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;min-height:100vh;display:flex;flex-direction:column}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--brand);outline-offset:2px;border-radius:4px}
code,pre,.mono{font-family:var(--mono);font-size:.9em}h1.mono{font-size:19px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px;z-index:9;background:var(--paper);padding:8px 12px}
.top{display:flex;flex-wrap:wrap;align-items:center;gap:4px 18px;padding:11px max(20px,calc((100% - 1180px)/2));background:var(--paper);border-bottom:1px solid var(--line)}
.brand{display:inline-flex;align-items:center;gap:8px;font-weight:650;color:var(--ink);letter-spacing:-.01em}.brand:hover{text-decoration:none}.kite{color:var(--brand)}
nav ol{list-style:none;display:flex;flex-wrap:wrap;margin:0;padding:0}nav li{min-width:0;overflow-wrap:anywhere}
nav li+li::before{content:"/";color:var(--quiet);opacity:.6;margin:0 8px}nav a{color:var(--quiet)}nav [aria-current]{color:var(--ink)}
main{flex:1;width:100%;max-width:1220px;margin:0 auto;padding:26px 20px 40px}body.wide main{max-width:none}body.wide .top,body.wide footer{padding-left:20px;padding-right:20px}
footer{padding:18px max(20px,calc((100% - 1180px)/2));color:var(--quiet);font-size:13px;border-top:1px solid var(--line);overflow-wrap:anywhere}
h1{font-size:23px;line-height:1.3;letter-spacing:-.015em;margin:0;font-weight:650;overflow-wrap:anywhere}
h2{font-size:16px;margin:32px 0 10px;font-weight:650;display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 10px}h2 small,.quiet{color:var(--quiet);font-weight:400}h2 small{font-size:13px}
p{margin:8px 0}.lead{color:var(--quiet);margin:6px 0 0}
.head{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:center}.head h1{min-width:0}
.actions{display:flex;flex-wrap:wrap;gap:8px;margin:16px 0 0}
.button,button{display:inline-block;font:inherit;font-size:14px;padding:5px 12px;border:1px solid var(--line);border-radius:7px;background:var(--paper);color:var(--ink);cursor:pointer}.button:hover,button:hover{text-decoration:none;border-color:var(--quiet)}
.pill{display:inline-flex;align-items:center;gap:6px;padding:1px 9px 1px 8px;border-radius:99px;font-size:13px;font-weight:550;white-space:nowrap;color:var(--idle);background:var(--idle-ground)}
.pill::before{content:"";width:7px;height:7px;border-radius:50%;background:currentColor}
.pill.good{color:var(--good);background:var(--good-ground)}.pill.bad{color:var(--bad);background:var(--bad-ground)}.pill.bad::before{border-radius:1px}.pill.busy{color:var(--busy);background:var(--busy-ground)}.pill.idle::before{background:none;border:1.5px solid currentColor}
.tag{display:inline-block;font-size:12px;padding:0 7px;border:1px solid var(--line);border-radius:5px;color:var(--quiet);overflow-wrap:anywhere}
.card{background:var(--paper);border:1px solid var(--line);border-radius:10px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:14px 24px;padding:16px 18px;margin:18px 0 0}
.facts div{min-width:0}.facts dt{font-size:12.5px;color:var(--quiet)}.facts dd{margin:1px 0 0;overflow-wrap:anywhere}
.message{white-space:pre-line;margin:10px 0 0;color:var(--quiet);max-width:80ch;overflow-wrap:anywhere}
.mirror{padding:14px 18px;margin:14px 0 0}.mirror strong{font-weight:650}
.bar{display:block;height:6px;border-radius:3px;background:var(--idle-ground);overflow:hidden;margin:9px 0 2px}.bar i{display:block;height:100%;background:var(--good)}.bar.some i{background:var(--busy)}
.gaps{margin:12px 0 0;padding:0;list-style:none;font-size:14px}.gaps li{padding:5px 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.rows{list-style:none;margin:0;padding:0}.rows>li{display:grid;grid-template-columns:126px minmax(0,1fr) fit-content(30%);gap:2px 14px;padding:11px 18px;border-top:1px solid var(--line);align-items:start}.rows>li:first-child{border-top:0}
.rows .what{min-width:0;overflow-wrap:anywhere}.rows .title{font-weight:550;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}.rows .title a{color:var(--ink)}.rows .when{text-align:right;font-size:13px;color:var(--quiet)}.when time,.when a{white-space:nowrap}
.under{font-size:13px;color:var(--quiet);display:flex;flex-wrap:wrap;align-items:baseline;gap:1px 12px}.under>*{min-width:0;overflow-wrap:anywhere}
.some-missing{color:var(--busy)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}th{font-weight:500;font-size:12.5px;color:var(--quiet);text-align:left;white-space:nowrap}th,td{padding:8px 10px;vertical-align:top}th:first-child,td:first-child{padding-left:18px}th:last-child,td:last-child{padding-right:18px}
tbody tr{border-top:1px solid var(--line)}td{overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap}td.fit{white-space:nowrap}
tr:target,li:target,.line:target{background:var(--mark)}tr.earlier td:first-child{padding-left:34px}tr.earlier{color:var(--quiet)}tr.gate td{color:var(--quiet);padding-top:5px;padding-bottom:5px;font-size:13px}
.name{font-weight:550}.tree{padding:10px 18px;font-size:14px}.tree ul{list-style:none;margin:0;padding:0 0 0 18px}.tree>ul{padding:0}.tree li{padding:1px 0}.side{float:right;padding:3px 0 3px 12px;font-size:13px;display:flex;gap:12px}
summary{cursor:pointer;padding:3px 0;border-radius:4px}summary:hover{color:var(--link)}.tree .leaf{display:grid;grid-template-columns:minmax(0,1fr) 84px 190px;gap:0 14px;padding:3px 0 3px 16px}.leaf .mono{overflow-wrap:anywhere}.leaf .quiet{font-size:13px;text-align:right}.leaf .quiet+.quiet{text-align:left;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
pre.copy{background:var(--faint);border:1px solid var(--line);border-radius:8px;padding:10px 14px;margin:8px 0;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}.listing{margin-top:18px}
form.filter{display:flex;flex-wrap:wrap;gap:10px;align-items:end;margin:18px 0}form.filter label{font-size:12.5px;color:var(--quiet);display:grid;grid-template-columns:minmax(0,1fr);gap:2px;min-width:0;max-width:min(100%,260px)}
input,select{font:inherit;font-size:14px;color:var(--ink);background:var(--paper);border:1px solid var(--line);border-radius:7px;padding:5px 9px;max-width:100%}
.empty{padding:34px 18px;text-align:center;color:var(--quiet)}
.log{margin:16px 0 0;padding:10px 0;overflow-x:auto;font:12.5px/1.55 var(--mono)}.line{display:flex;min-width:max-content;padding:0 16px 0 8px}.line a{flex:0 0 auto;width:7ch;padding-right:16px;text-align:right;color:var(--quiet);user-select:none;box-sizing:content-box}.line span{white-space:pre;unicode-bidi:isolate;tab-size:8}.line.group{font-weight:650}
@media (max-width:720px){main{padding:20px 14px 32px}.top,footer,body.wide .top,body.wide footer{padding-left:14px;padding-right:14px}h1{font-size:20px}.mirror{padding:12px 14px}
.rows>li{grid-template-columns:minmax(0,1fr) auto;padding:11px 14px}.rows .what{grid-column:1/-1;grid-row:2}.facts{grid-template-columns:1fr 1fr;padding:14px;gap:12px 16px}.tree{padding:8px 14px}.tree .leaf{grid-template-columns:minmax(0,1fr) auto}.leaf .quiet+.quiet{display:none}.tree ul{padding-left:12px}
.stack thead{display:none}.stack tr{display:flex;flex-wrap:wrap;gap:2px 12px;padding:10px 14px}.stack td,.stack td:first-child,.stack td:last-child,.stack tr.earlier td:first-child{padding:0}.stack td.whole{flex:1 0 100%}.stack tr.earlier{padding-left:28px}.stack td:empty{display:none}.stack .n{text-align:left}.stack td[data-label]::before{content:attr(data-label) " ";color:var(--quiet)}
.line a{width:5ch;padding-right:10px}}
@media print{.top,footer,.actions,form{display:none}body{background:#fff}}
`;
