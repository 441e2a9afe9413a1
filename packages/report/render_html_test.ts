import { assert, describe, it } from "@effect/vitest"
import { renderHtml, renderMarkdown, type ReportRun } from "./mod.ts"
import {
  failedManifest,
  fullManifest,
  hostileManifest,
  runOf,
  smallManifest,
} from "./testing/manifests.ts"

const full = runOf(fullManifest())
/** Without the white space between elements. */
const squeeze = (text: string) => text.replaceAll(/>\s+/g, ">").replaceAll(/\s+</g, "<")

const page = squeeze(renderHtml([full]))

const sectionsOf = (text: string) =>
  [...text.matchAll(/<section id="([^"]+)">/g)].map(([, id]) => id)

const sectionOf = (text: string, id: string) => {
  const from = text.indexOf(`<section id="${id}">`)
  return from === -1 ? "" : text.slice(from, text.indexOf("</section>", from))
}

const count = (text: string, part: string) => text.split(part).length - 1

describe("renderHtml", () => {
  it("has a section for everything that there is", () => {
    assert.deepStrictEqual(sectionsOf(page), [
      "problems",
      "summary",
      "perplexity",
      "layer-error",
      "training",
      "costs",
      "graph",
      "measurements",
      "steps",
      "record",
    ])
    for (const id of sectionsOf(page)) assert.include(page, `<a href="#${id}">`)
  })

  it("has no section without contents", () => {
    assert.deepStrictEqual(sectionsOf(renderHtml([runOf(smallManifest())])), ["steps", "record"])
  })

  it("says what the run is", () => {
    for (const text of [
      "<h1>prune-and-round</h1>",
      "What pruning and rounding cost.",
      "20270102-030405-abcd",
      "2027-01-02 03:04:05 UTC",
      "2 min 1 s",
      "wasm, WebAssembly SIMD, 2 threads",
      "pipelines/prune-and-round.yaml",
    ])
      assert.include(page, text)
    assert.include(renderHtml([full], { title: "My title" }), "<h1>My title</h1>")
  })

  it("shows the author's table, and a row for each combination of a sweep", () => {
    const summary = sectionOf(page, "summary")
    assert.include(summary, '<th scope="row">RTN, 4 bits</th><td class="number">4.9</td>')
    for (const sparsity of [0.3, 0.5, 0.7]) {
      assert.include(summary, `<th scope="row">sparsity = ${sparsity}</th>`)
    }
    assert.include(summary, "measured: perplexity")
  })

  it("draws perplexity against sparsity and against bits, for wide and for narrow pages", () => {
    const section = sectionOf(page, "perplexity")
    assert.strictEqual(count(section, "<figure>"), 2)
    assert.strictEqual(count(section, 'class="wide" role="img" aria-label="Perplexity on'), 2)
    assert.strictEqual(count(section, 'class="narrow" role="img" aria-label="Perplexity on'), 2)
    assert.include(section, ">pruned[sparsity=0.5]</text>")
    assert.include(section, ">dense 4.8</text>")
  })

  it("draws the errors of layers with as many cells, and tells their figures", () => {
    const section = sectionOf(page, "layer-error")
    assert.strictEqual(count(section, 'fill="var(--heat-'), 2 * 14 * 3)
    assert.include(section, '<th scope="row">blocks.1.down</th><td class="number">0.022</td>')
  })

  it("draws training curves and what steps took", () => {
    assert.strictEqual(count(sectionOf(page, "training"), "<figure>"), 2)
    const costs = sectionOf(page, "costs")
    assert.include(costs, "Time per step")
    assert.include(costs, "Peak memory per step")
    assert.include(costs, ">300 MiB</text>")
  })

  it("draws the graph", () => {
    const graph = sectionOf(page, "graph")
    assert.strictEqual(count(graph, '<g class="box'), full.steps.length)
    assert.include(graph, "marker-end")
  })

  it("tells of every step what it was told and what it measured", () => {
    const steps = sectionOf(page, "steps")
    assert.strictEqual(count(steps, "<details>"), full.steps.length)
    for (const text of ["learningRate: 0.004", "loss: 2.18", "2 documents were too short"]) {
      assert.include(steps, text)
    }
  })

  it("has the record: inputs, packages, environment, keys", () => {
    const record = sectionOf(page, "record")
    for (const text of ["86c4".repeat(16), "0.1.0+abc", "linux-x64", "5".padStart(64, "0")]) {
      assert.include(record, text)
    }
  })

  it("tells what failed and what was skipped, with what to do", () => {
    const failed = sectionOf(renderHtml([runOf(failedManifest())]), "problems")
    for (const text of [
      "NonFinite",
      "window 0 is not finite",
      "Its weights overflow.",
      "eval failed",
    ])
      assert.include(failed, text)
  })

  it("is the same every time", () => {
    assert.strictEqual(renderHtml([runOf(fullManifest())]), renderHtml([full]))
    assert.strictEqual(renderMarkdown([full]), renderMarkdown([runOf(fullManifest())]))
  })

  it("loads nothing and runs nothing", () => {
    for (const text of [page, renderHtml([runOf(hostileManifest())])]) {
      assert.notMatch(text, /<(?:script|iframe|object|embed|base|form|img|image|foreignObject)\b/i)
      // No quote but those of attributes is written as it is.
      assert.notMatch(
        text.replaceAll(/"[^"]*"/g, '""'),
        /<[^>]*\s(?:on\w+|src|srcset|xlink:href|action)=/i,
      )
      assert.notMatch(text, /@import|url\((?!#)/)
      const links = [...text.matchAll(/\shref="([^"]*)"/g)].map(([, href]) => href)
      for (const link of links) assert.match(link, /^(?:#|data:,$)/)
      assert.include(text, "default-src 'none'".replaceAll("'", "&#39;"))
    }
  })

  it("shows hostile texts as they are", () => {
    const spoiled = renderHtml([runOf(hostileManifest())])
    assert.notInclude(spoiled, "<script")
    assert.notInclude(spoiled, "<img")
    assert.isAbove(count(spoiled, "&lt;script&gt;alert(1)&lt;/script&gt;"), 50)
    assert.strictEqual(count(spoiled, "</style>"), 1)
    assert.strictEqual(count(spoiled, "<svg"), count(spoiled, "</svg>"))
    assert.strictEqual(count(spoiled, "<table"), count(spoiled, "</table>"))
    const markdown = renderMarkdown([runOf(hostileManifest())])
    const code = /^(`{3,})[^`]*\n[\s\S]*?\n\1$/gm
    assert.notMatch(markdown.replaceAll(code, "").replaceAll(/(`+)[^\n]*?\1/g, ""), /<script|<img/)
  })

  it("knows nothing but the record", () => {
    process.env.ESPALIER_REPORT_TEST = "planted-secret"
    const text = renderHtml([full]) + renderMarkdown([full])
    delete process.env.ESPALIER_REPORT_TEST
    assert.notInclude(text, "planted-secret")
    assert.notInclude(text, process.cwd())
  })
})

describe("renderHtml of several runs", () => {
  const changed = JSON.parse(
    JSON.stringify(fullManifest({ run: "20270103-030405-efef", seed: 8 }))
      .replaceAll('"learningRate":0.004', '"learningRate":0.001')
      .replaceAll('"perplexity":4.9', '"perplexity":9.8')
      .replaceAll("0.1.0+abc", "0.2.0+abc"),
  ) as unknown
  const runs: ReadonlyArray<ReportRun> = [full, runOf(changed)]
  const both = squeeze(renderHtml(runs))

  it("says what differs, and only that", () => {
    const differences = sectionOf(both, "differences")
    for (const [name, a, b] of [
      ["seed", "7", "8"],
      ["@espalier/pruning", "0.1.0+abc", "0.2.0+abc"],
      ["model: learningRate", "0.004", "0.001"],
    ]) {
      assert.include(differences, `<th scope="row">${name}</th><td>${a}</td><td>${b}</td>`)
    }
    assert.strictEqual(count(differences, '<th scope="row">'), 3)
    assert.include(sectionOf(renderHtml([full, full]), "differences"), "the same in all runs")
  })

  it("has a row for each run, and marks what differs", () => {
    const summary = sectionOf(both, "summary")
    assert.include(
      summary,
      '<th scope="rowgroup" rowspan="2">RTN, 4 bits</th><th scope="row">A</th>',
    )
    assert.include(summary, '9.8<span class="change">+100 %</span>')
    const [, dense] = /rowspan="2">dense<\/th>([\s\S]*?)<\/tbody>/.exec(summary)!
    assert.notInclude(dense, "change")
  })

  it("draws a model once where the runs agree", () => {
    const section = sectionOf(both, "perplexity")
    assert.include(section, ">B: RTN, 4 bits</text>")
    assert.strictEqual(count(section, ">pruned[sparsity=0.5]</text>"), 2)
  })
})

describe("renderMarkdown", () => {
  const markdown = renderMarkdown([full])

  it("has the same tables, a graph, and no charts", () => {
    assert.isTrue(markdown.startsWith("# prune-and-round\n\nWhat pruning and rounding cost.\n"))
    assert.include(
      markdown,
      "|  | perplexity | bits per weight |\n| --- | ---: | ---: |\n| dense | 4.8 | – |",
    )
    assert.include(markdown, "```mermaid\ngraph LR\n")
    assert.include(markdown, `"pruned#91;sparsity#61;0#46;5#93;`.replace("0#46;5", "0.5"))
    assert.notInclude(markdown, "<svg")
    for (const heading of ["Summary", "Perplexity", "Layer-wise error", "Steps", "Record"]) {
      assert.include(markdown, `\n## ${heading}\n`)
    }
  })

  it("has as many cells in each row as its table has columns", () => {
    for (const text of [
      markdown,
      renderMarkdown([full, full]),
      renderMarkdown([runOf(hostileManifest())]),
    ]) {
      let wanted = 0
      for (const line of text.replaceAll(/^(`{3,})[\s\S]*?\n\1$/gm, "").split("\n")) {
        const cells = line.startsWith("|") ? line.split(/(?<!\\)\|/).length : 0
        if (cells > 0 && wanted > 0) assert.strictEqual(cells, wanted, line)
        wanted = cells
      }
    }
  })
})
