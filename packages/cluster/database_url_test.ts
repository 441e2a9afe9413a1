import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { scrub, withoutPassword } from "./database_url.ts"

const url = Redacted.make("postgres://ada:s%20ecret@db.example:5433/steps?sslpassword=other")

describe("addresses of databases", () => {
  it("are shown without password and parameters", () => {
    assert.strictEqual(withoutPassword(url), "postgres://ada@db.example:5433/steps")
    assert.strictEqual(withoutPassword(Redacted.make("postgres://h/d")), "postgres://h/d")
    assert.strictEqual(withoutPassword(Redacted.make("ada:secret")), "(not postgres://…)")
    assert.strictEqual(withoutPassword(Redacted.make("secret")), "(not postgres://…)")
  })

  it("take their password out of what others write", () => {
    assert.strictEqual(scrub(url, 'no such role: "s ecret", s%20ecret'), 'no such role: "***", ***')
    assert.strictEqual(scrub(Redacted.make("secret"), "invalid: secret"), "invalid: ***")
  })
})
