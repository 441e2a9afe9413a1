import { cassetteModes } from "@espalier/llm"
import { Schema } from "effect"
import { Flag } from "effect/cli"
import { chatTemplateNames } from "./chat_template.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const NotNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const count = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withSchema(Positive), Flag.withDescription(description), Flag.optional)

const amount = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.withSchema(NotNegative),
    Flag.withDescription(description),
    Flag.optional,
  )

/**
 * The flags of every command that may ask a language model; `languageModelLayer` makes a layer of
 * what they are set to. Without `--provider` a command does what it can do without one.
 */
export const languageModelFlags = {
  provider: Flag.Literals("provider", ["local", "openai", "anthropic"]).pipe(
    Flag.withDescription(
      "who answers: a model of one's own, a server that speaks OpenAI's API (also vLLM, Ollama, llama.cpp), or Anthropic",
    ),
    Flag.optional,
  ),
  model: text(
    "model",
    "the model's name at the server; local: its file or folder, data:… is in the data folder",
  ),
  baseUrl: text(
    "base-url",
    "where the server stands (default: OPENAI_BASE_URL or ANTHROPIC_BASE_URL, else the vendor's own)",
  ),
  temperature: amount(
    "temperature",
    "0 takes the most likely token, 1 samples as the model predicts",
  ),
  topP: Flag.Finite("top-p").pipe(
    Flag.withSchema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
    Flag.withDescription("sample among the likeliest tokens of this total probability"),
    Flag.optional,
  ),
  maxTokens: count("max-tokens", "most tokens of an answer"),
  samplingSeed: Flag.Int("sampling-seed").pipe(
    Flag.withDescription("same seed, same answers, as far as the server can"),
    Flag.optional,
  ),
  cassette: text("cassette", "a file of recorded answers, JSON lines"),
  cassetteMode: Flag.Literals("cassette-mode", cassetteModes).pipe(
    Flag.withDescription(
      "replay (default): play what is recorded, ask and record the rest; record: ask always; strict: never ask; live: leave the file alone",
    ),
    Flag.optional,
  ),
  budgetCost: amount("budget-cost", "most US dollars to spend"),
  budgetTokens: count("budget-tokens", "most tokens of prompts and answers together"),
  budgetRequests: count("budget-requests", "most requests"),
  chatTemplate: Flag.Literals("chat-template", chatTemplateNames).pipe(
    Flag.withDescription(
      "local: plain (default; User: and Assistant:), chatml (<|im_start|>), or continue (the bare text)",
    ),
    Flag.optional,
  ),
  llmTokenizer: text("llm-tokenizer", "local: the tokenizer's file; a folder may hold its own"),
  llmDevice: Flag.Literals("llm-device", ["auto", "wasm", "webgpu"]).pipe(
    Flag.withDescription("local: where the model runs"),
    Flag.withDefault("auto"),
  ),
}
