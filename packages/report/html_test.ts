import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { escapeHtml, html } from "./html.ts"
import { codeBlock, escapeMarkdown, inlineCode } from "./markdown_text.ts"

describe("html", () => {
  it("escapes text and keeps what is HTML", () => {
    const inner = html`<b>${"<&>"}</b>`
    assert.strictEqual(
      html`<p title="${`"'`}">${inner}${3}</p>`.text,
      `<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b>3</p>`,
    )
  })

  it.prop("never lets a text end what it stands in", [Schema.String], ([text]) => {
    assert.notMatch(escapeHtml(text), /[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/)
  })

  it("replaces what HTML cannot write", () => {
    assert.strictEqual(escapeHtml("a\u0000b\u001bc\ud800d\ne"), "a�b�c�d\ne")
  })
})

describe("Markdown", () => {
  it.prop("has neither tags nor cells nor lines of a text's own", [Schema.String], ([text]) => {
    const escaped = escapeMarkdown(text)
    assert.notMatch(escaped, /[<>\n\r]|(?<!\\)[|`*[\]]/)
  })

  it("fences code with more backticks than it has", () => {
    assert.strictEqual(codeBlock("a```b"), "````\na```b\n````")
    assert.strictEqual(inlineCode("a`b"), "``a`b``")
    assert.strictEqual(inlineCode("a|b"), String.raw`a\|b`)
    assert.strictEqual(inlineCode(" "), "")
  })

  it("begins no list and no heading", () => {
    assert.deepStrictEqual(["1. one", "- a", "# b"].map(escapeMarkdown), [
      String.raw`1\. one`,
      String.raw`\- a`,
      String.raw`\# b`,
    ])
  })
})
