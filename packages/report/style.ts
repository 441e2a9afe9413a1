const light = `
--page:#f6f7f5;--card:#ffffff;--ink:#1a211d;--soft:#56605a;--rule:#cfd6d1;--grid:#e8ece9;--fill:#f0f3f1;
--accent:#0b6b4b;--link:#0b6b4b;
--good:#0b6b4b;--cached:#1f5f99;--bad:#b3261e;--bad-fill:#fdf0ee;--warn:#8a5a00;--warn-fill:#fcf5e6;
--series-0:#0072b2;--series-1:#c65102;--series-2:#00805c;--series-3:#a8467f;--series-4:#a87900;--series-5:#3d6fd9;--series-6:#7a4bb0;--series-7:#5c6660;
--heat-0:#eef3e2;--heat-1:#d3e6c9;--heat-2:#b0d6b8;--heat-3:#86c2ae;--heat-4:#5aabaa;--heat-5:#3a90a3;--heat-6:#2f7397;--heat-7:#2e5584;--heat-8:#2a3768;`

const dark = `
--page:#111614;--card:#181f1c;--ink:#e6ece8;--soft:#a3afa8;--rule:#3a4540;--grid:#27302c;--fill:#212925;
--accent:#4cc79a;--link:#62d3a8;
--good:#4cc79a;--cached:#74b4ee;--bad:#ff8f85;--bad-fill:#33201e;--warn:#e9b44c;--warn-fill:#2e2817;
--series-0:#56b4e9;--series-1:#ff9a4d;--series-2:#3ecb9c;--series-3:#e492c3;--series-4:#e6c14a;--series-5:#8fb0ff;--series-6:#bd9af0;--series-7:#aab4ae;
--heat-0:#232c3f;--heat-1:#27405c;--heat-2:#295878;--heat-3:#2c728e;--heat-4:#368d9c;--heat-5:#4fa8a3;--heat-6:#7cc2a9;--heat-7:#b2dab5;--heat-8:#e9f0cd;`

/** The style of a report: readable at 400 pixels and at 1280, light and dark, on paper too. */
export const style = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
@media print{:root{color-scheme:light;${light}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
header,nav,main,footer{max-width:1040px;margin:0 auto;padding:0 20px}
header{padding-top:36px}
.title{display:flex;gap:16px;align-items:flex-start}
.mark{flex:none;width:44px;height:44px;margin-top:2px}
.mark path{fill:none;stroke:var(--accent);stroke-width:2.6;stroke-linecap:round}
h1{margin:0;font-size:32px;line-height:1.2;letter-spacing:-.015em}
.title p{margin:6px 0 0;color:var(--soft);max-width:70ch}
h2{margin:0 0 14px;font-size:21px;line-height:1.3;letter-spacing:-.01em}
h3{margin:16px 0 6px;font-size:14px}
p{margin:0 0 8px}
a{color:var(--link);text-underline-offset:2px}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
header dl{margin-top:22px;grid-template-columns:repeat(auto-fill,minmax(190px,1fr))}
dl{display:grid;gap:1px;margin:0;border:1px solid var(--rule);border-radius:10px;overflow:hidden;background:var(--card);grid-template-columns:1fr}
dl>div{padding:9px 14px;background:var(--card);box-shadow:0 0 0 1px var(--grid)}
dl+.scroll{margin-top:16px}
dt{color:var(--soft);font-size:12.5px}
dd{margin:1px 0 0}
nav ul{display:flex;flex-wrap:wrap;gap:6px 8px;margin:22px 0 0;padding:0;list-style:none}
nav a{display:block;padding:3px 12px;border:1px solid var(--rule);border-radius:99px;background:var(--card);color:var(--ink);font-size:14px;text-decoration:none}
nav a:hover{border-color:var(--accent);color:var(--link)}
section{margin:22px 0;padding:22px 24px;border:1px solid var(--rule);border-radius:12px;background:var(--card)}
.scroll{overflow:auto;margin:0 0 18px;border:1px solid var(--rule);border-radius:8px}
.long{max-height:760px}
.scroll:last-child,figure:last-child,.note:last-child,details:last-child{margin-bottom:0}
.scroll:focus-visible,pre:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
header .scroll{margin-top:22px;background:var(--card)}
table{width:100%;border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{padding:9px 12px;text-align:left;color:var(--soft);font-size:13px}
th,td{padding:6px 12px;text-align:left;vertical-align:top;border-top:1px solid var(--grid)}
thead th,thead td{position:sticky;top:0;background:var(--fill);color:var(--soft);font-size:12.5px;font-weight:600;border-top:1px solid var(--rule);white-space:nowrap}
tbody th{font-weight:500}
.named tbody tr:first-child>th:first-child{min-width:9.5em}
tbody+tbody>tr:first-child>*{border-top-color:var(--rule)}
tbody tr:hover>td,tbody tr:hover>th[scope=row]{background:var(--fill)}
.number{text-align:right;white-space:nowrap}
.change{margin-left:6px;padding:0 5px;border-radius:5px;background:var(--warn-fill);color:var(--warn);font-size:12px;white-space:nowrap}
td code{white-space:nowrap;overflow-wrap:normal}
figure{margin:0 0 26px}
details+figure,.scroll+figure{margin-top:26px}
figcaption{margin-bottom:8px;font-weight:600}
figure svg{width:100%;height:auto}
figure text{font-family:inherit}
figure>.wide,figure>.narrow{display:block;max-width:940px}
figure>.narrow{display:none;max-width:440px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:0 0 6px;padding:0;list-style:none;color:var(--soft);font-size:13px;align-items:center}
.legend svg{width:14px;height:14px;margin-right:6px;vertical-align:-2px}
.ramp{gap:0}.ramp i{width:26px;height:12px}.ramp span{margin:0 8px}.ramp span:first-child{margin-left:0}
.graph{display:block;width:100%;height:auto;margin:0 auto;padding:10px}
.graph text{font:500 13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
.graph .use{font-weight:400;font-size:11.5px;fill:var(--soft)}
.graph rect{fill:var(--fill);stroke:var(--rule)}
.arrows path{fill:none;stroke:var(--soft);stroke-opacity:.55}
.head{fill:var(--soft)}
.is-done{--status:var(--good)}.is-cached{--status:var(--cached)}.is-failed{--status:var(--bad)}.is-skipped,.is-interrupted{--status:var(--warn)}.is-other{--status:var(--soft)}
.box circle{fill:var(--status);stroke:var(--status);stroke-width:2}
.box.is-cached circle,.box.is-skipped circle{fill:none}
.box.is-failed rect{fill:var(--bad-fill);stroke:var(--bad)}
.status{color:var(--status);font-weight:600}
td .status{white-space:nowrap}
.status::before{content:"";display:inline-block;margin-right:7px;width:9px;height:9px;border-radius:50%;border:2px solid var(--status);background:var(--status)}
.status.is-cached::before,.status.is-skipped::before{background:none}
.status.is-failed::before,.status.is-interrupted::before{border-radius:1px}
.note{margin:0 0 12px;padding:10px 14px;border-left:4px solid var(--warn);border-radius:4px 8px 8px 4px;background:var(--warn-fill)}
.note.error{border-color:var(--bad);background:var(--bad-fill)}
.note p{margin:2px 0 0;white-space:pre-wrap}
details{margin:0 0 6px;border:1px solid var(--rule);border-radius:8px}
summary{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;padding:7px 12px;cursor:pointer;color:var(--soft);font-size:14px;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"";align-self:center;width:6px;height:6px;border:solid var(--soft);border-width:0 2px 2px 0;transform:rotate(-45deg)}
details[open]>summary::before{transform:rotate(45deg)}
summary>span:first-of-type{color:var(--ink);font-weight:600}
.inside{padding:4px 14px 14px}
pre{margin:0 0 14px;padding:10px 12px;max-height:340px;overflow:auto;border-radius:6px;background:var(--fill);white-space:pre-wrap}
footer{padding:6px 20px 40px;color:var(--soft);font-size:13px}
@media (max-width:640px){
header,nav,main,footer{padding-left:12px;padding-right:12px}
header{padding-top:22px}
h1{font-size:25px}
section{padding:16px 14px;margin:14px 0}
figure>.wide{display:none}
figure>.narrow{display:block}
th,td{padding:5px 9px}
.ramp i{width:20px}
}
@media print{body{background:none}nav{display:none}section{border:0;padding:0;break-inside:auto}.scroll,pre{max-height:none;overflow:visible}}
`
