import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Prompt } from "effect/ai"
import { applyChatTemplate } from "./chat_template.ts"

const chat = Prompt.make([
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hello" },
  { role: "assistant", content: "Hi." },
  { role: "user", content: "Bye" },
])

describe("applyChatTemplate", () => {
  it("makes one text of a chat, in each of its ways", () => {
    assert.deepStrictEqual(Result.getOrThrow(applyChatTemplate(chat, "plain")), {
      text: "Be brief.\n\nUser: Hello\n\nAssistant: Hi.\n\nUser: Bye\n\nAssistant:",
      stop: ["\nUser:"],
    })
    assert.deepStrictEqual(Result.getOrThrow(applyChatTemplate(chat, "chatml")), {
      text: "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
      stop: ["<|im_end|>"],
    })
    const story = Result.getOrThrow(applyChatTemplate(Prompt.make("Once upon"), "continue"))
    assert.deepStrictEqual(story, { text: "Once upon", stop: [] })
  })

  it("refuses what is not text", () => {
    const picture = Prompt.make([
      {
        role: "user",
        content: [{ type: "file", mediaType: "image/png", data: "AAAA" }],
      },
    ])
    const refused = applyChatTemplate(picture, "plain")
    if (Result.isSuccess(refused)) return assert.fail("was taken")
    assert.match(refused.failure.message, /text alone, not a part of type file/)
  })
})
