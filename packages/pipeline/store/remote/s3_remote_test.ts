import { afterAll, assert, beforeAll, describe, it, layer } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { type Ceph, hasCeph, startCeph } from "@espalier/ceph"
import { ConfigProvider, Effect, Option, Redacted, Stream } from "effect"
import { sha256 } from "../../sha256.ts"
import { makeGate } from "../../testing/gate.ts"
import { checkReadable, checkWritable } from "./check_remote.ts"
import { inMemory } from "./remote.ts"
import type { RemoteError } from "./remote_error.ts"
import { parseS3Address } from "./s3_address.ts"
import { elementText, refusalOf } from "./s3_failure.ts"
import { s3Remote } from "./s3_remote.ts"
import { type S3Settings, s3SettingsFromEnvironment } from "./s3_settings.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const times = { silence: 400, patience: 1500 }

describe("the address of a remote", () => {
  it.effect("is a bucket and a prefix", () =>
    Effect.gen(function* () {
      const read = (text: string) => Effect.map(parseS3Address(text), (address) => address)
      assert.deepStrictEqual(yield* read("s3://my-bucket/a/b/"), {
        bucket: "my-bucket",
        prefix: "a/b/",
        text: "s3://my-bucket/a/b",
      })
      assert.deepStrictEqual(yield* read("s3://my-bucket"), {
        bucket: "my-bucket",
        prefix: "",
        text: "s3://my-bucket",
      })
    }),
  )

  it.effect("what is none is refused, and not repeated", () =>
    Effect.gen(function* () {
      for (const text of [
        "",
        "geheimnis",
        "s3://",
        "s3://ADA:geheimnis@bucket/x",
        "https://bucket/geheimnis",
        "s3://bucket/a//b",
        "s3://bucket/../geheimnis",
        "s3://bucket/geheim nis",
      ]) {
        const error = yield* Effect.flip(parseS3Address(text))
        assert.strictEqual(error._tag, "InvalidRemoteAddress")
        assert.notInclude(error.message + error.hint, "geheim")
      }
    }),
  )
})

describe("the settings of a remote", () => {
  const read = (variables: Record<string, string>) =>
    s3SettingsFromEnvironment("s3://bucket").pipe(
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromEnv({ env: variables }),
      ),
    )

  it.effect("come from the standard variables", () =>
    Effect.gen(function* () {
      const settings = yield* read({
        AWS_ACCESS_KEY_ID: "ADA",
        AWS_SECRET_ACCESS_KEY: "geheimnis",
        AWS_SESSION_TOKEN: "zeichen",
        AWS_DEFAULT_REGION: "eu-central-1",
        AWS_ENDPOINT_URL: "http://127.0.0.1:9000/",
        AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9001/",
      })
      assert.strictEqual(Redacted.value(settings.secretAccessKey), "geheimnis")
      assert.strictEqual(settings.region, "eu-central-1")
      assert.strictEqual(settings.endpoint, "http://127.0.0.1:9001")
      assert.notMatch(JSON.stringify(settings), /geheimnis|zeichen/)
    }),
  )

  it.effect("what is missing is named", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ AWS_ACCESS_KEY_ID: "ADA" }))
      assert.strictEqual(error._tag, "RemoteCredentialsMissing")
      assert.include(error.message, "AWS_SECRET_ACCESS_KEY is not set")
      const keys = { AWS_ACCESS_KEY_ID: "ADA", AWS_SECRET_ACCESS_KEY: "geheimnis" }
      const url = { AWS_ENDPOINT_URL_S3: "http://ADA:geheimnis@host" }
      const wrong = yield* Effect.flip(read({ ...keys, ...url }))
      assert.notInclude(wrong.message + wrong.hint, "geheimnis")
    }),
  )
})

describe("a service that refuses", () => {
  const settings: S3Settings = {
    accessKeyId: "ADA",
    secretAccessKey: Redacted.make("geheimnis"),
    sessionToken: Redacted.make("zeichen"),
    region: "us-east-1",
  }
  const refused = (status: number, code: string, message = "", region: string | null = null) => {
    const body = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
    return refusalOf("s3://bucket", settings, { status, body, region })
  }

  it("says what it means", () => {
    const tags: ReadonlyArray<readonly [number, string, RemoteError["_tag"]]> = [
      [404, "NoSuchBucket", "BucketNotFound"],
      [301, "PermanentRedirect", "BucketNotFound"],
      [400, "AuthorizationHeaderMalformed", "BucketNotFound"],
      [403, "AccessDenied", "RemoteAccessDenied"],
      [403, "SignatureDoesNotMatch", "RemoteAccessDenied"],
      [400, "ExpiredToken", "RemoteAccessDenied"],
      [403, "RequestTimeTooSkewed", "ClockSkewed"],
      [503, "SlowDown", "RemoteUnavailable"],
      [429, "", "RemoteUnavailable"],
      [409, "ConditionalRequestConflict", "RemoteUnavailable"],
      [400, "InvalidRequest", "RemoteUnsuitable"],
      [501, "NotImplemented", "RemoteUnsuitable"],
    ]
    for (const [status, code, tag] of tags)
      assert.strictEqual(refused(status, code)._tag, tag, code)
    assert.include(refused(301, "PermanentRedirect", "", "eu-west-1").hint, "AWS_REGION=eu-west-1")
  })

  it("is told without secrets that it repeats", () => {
    const { message } = refused(403, "AccessDenied", "geheimnis and zeichen are wrong")
    assert.include(message, "*** and *** are wrong")
  })

  it("reads elements", () => {
    assert.strictEqual(elementText("<a><B>x &amp; &quot;y&quot;</B></a>", "B"), 'x & "y"')
    assert.isUndefined(elementText("<a/>", "B"))
  })
})

describe.skipIf(!hasCeph())("a remote in an S3-compatible service", () => {
  let ceph: Ceph
  let gate: Awaited<ReturnType<typeof makeGate>>
  beforeAll(async () => {
    ceph = await startCeph()
    await ceph.makeBucket("bucket")
    gate = await makeGate(ceph.endpoint)
  })
  afterAll(async () => {
    await gate.close()
    await ceph.remove()
  })

  const open = (settings: Partial<S3Settings> = {}, address = "s3://bucket/some/prefix") =>
    s3Remote(
      address,
      {
        accessKeyId: ceph.accessKeyId,
        secretAccessKey: Redacted.make(ceph.secretAccessKey),
        region: "us-east-1",
        endpoint: gate.endpoint,
        ...settings,
      },
      times,
    )

  it.effect("a wrong clock is told", () =>
    Effect.gen(function* () {
      // The clock of tests stands at 1970.
      const error = yield* Effect.flip(checkReadable(yield* open()))
      assert.strictEqual(error._tag, "ClockSkewed")
    }),
  )

  layer(NodeServices.layer, { excludeTestServices: true })("with the time of day", (it) => {
    it.effect("keeps, gives, lists and removes", () =>
      Effect.gen(function* () {
        const remote = yield* open()
        const name = "checkpoints/key/c-a%2F'b' (1)"
        assert.isTrue(Option.isNone(yield* remote.size(name)))
        assert.isTrue(Option.isNone(yield* remote.get(name, Stream.runDrain)))
        yield* remote.put(name, inMemory(bytes("hello")))
        assert.deepStrictEqual(yield* remote.size(name), Option.some(5))
        const read = yield* remote.get(name, Stream.mkUint8Array)
        assert.deepStrictEqual(Option.getOrThrow(read), bytes("hello"))
        yield* remote.put("empty", inMemory(bytes("")))
        assert.deepStrictEqual(yield* remote.size("empty"), Option.some(0))
        assert.deepStrictEqual(yield* remote.list("checkpoints/key/"), [name])
        yield* remote.remove(name)
        yield* remote.remove(name)
        assert.deepStrictEqual(yield* remote.list("checkpoints/key/"), [])
      }),
    )

    it.effect("of several who are first, one is", () =>
      Effect.gen(function* () {
        const remotes = yield* Effect.all([open(), open(), open(), open()])
        const won = yield* Effect.forEach(
          remotes,
          (remote, n) => remote.putFirst("entry", bytes(`${n}`)),
          { concurrency: 4 },
        )
        assert.lengthOf(won.filter(Boolean), 1)
        const standing = yield* remotes[0].get("entry", Stream.mkUint8Array)
        assert.deepStrictEqual(Option.getOrThrow(standing), bytes(`${won.indexOf(true)}`))
      }),
    )

    it.effect("sends what is large in parts, never wholly in memory", () =>
      Effect.gen(function* () {
        gate.reset()
        const remote = yield* open()
        const size = 20 * 2 ** 20 + 7
        const lengths: Array<number> = []
        const read = (offset: number, length: number) =>
          Effect.sync(() => {
            lengths.push(length)
            return Uint8Array.from({ length }, (_, i) => (offset + i) % 251)
          })
        yield* remote.put("large", { bytes: size, read })
        assert.deepStrictEqual(lengths, [2 ** 23, 2 ** 23, 2 ** 22 + 7])
        assert.lengthOf(
          gate.passed.filter(({ query }) => query.includes("partNumber")),
          3,
        )
        const expected = Uint8Array.from({ length: size }, (_, i) => i % 251)
        const found = yield* remote.get("large", Stream.mkUint8Array)
        assert.strictEqual(sha256(Option.getOrThrow(found)), sha256(expected))
      }),
    )

    it.effect("takes back what it began where a part fails", () =>
      Effect.gen(function* () {
        gate.reset()
        const remote = yield* open()
        gate.failWhen(({ query }) => (query.includes("partNumber=2") ? { status: 403 } : undefined))
        const read = (_: number, length: number) => Effect.succeed(new Uint8Array(length))
        const error = yield* Effect.flip(remote.put("half", { bytes: 2 ** 24, read }))
        assert.strictEqual(error._tag, "RemoteAccessDenied")
        assert.isTrue(gate.passed.some(({ method }) => method === "DELETE"))
        gate.reset()
        assert.isTrue(Option.isNone(yield* remote.size("half")))
        const uploads = yield* Effect.promise(() => ceph.ask("bucket?uploads"))
        assert.notInclude(yield* Effect.promise(() => uploads.text()), "<Upload>")
      }),
    )

    it.effect("what fails for a moment is tried again", () =>
      Effect.gen(function* () {
        const remote = yield* open()
        yield* remote.put("kept", inMemory(bytes("kept")))
        for (const fault of [{ status: 503 }, { status: 429 }, "silence", "break off"] as const) {
          gate.reset()
          let left = 1
          gate.failWhen(() => (left-- > 0 ? fault : undefined))
          const found = yield* remote.get("kept", Stream.mkUint8Array)
          assert.deepStrictEqual(Option.getOrThrow(found), bytes("kept"), JSON.stringify(fault))
          assert.lengthOf(gate.passed, 2)
        }
        gate.reset()
      }),
    )

    it.effect("what fails for long is told, without secrets", () =>
      Effect.gen(function* () {
        const remote = yield* open()
        gate.failWhen(() => "silence")
        const silent = yield* Effect.flip(checkWritable(remote))
        gate.reset()
        const down = yield* Effect.flip(
          checkWritable(yield* open({ endpoint: "http://127.0.0.1:1" })),
        )
        const denied = yield* Effect.flip(
          checkWritable(yield* open({ secretAccessKey: Redacted.make("geheimnis-of-eve") })),
        )
        const unknown = yield* Effect.flip(checkWritable(yield* open({ accessKeyId: "EVE" })))
        const missing = yield* Effect.flip(checkWritable(yield* open({}, "s3://no-such-bucket")))
        const errors = [silent, down, denied, unknown, missing]
        assert.deepStrictEqual(
          errors.map(({ _tag }) => _tag),
          [
            "RemoteUnavailable",
            "RemoteUnavailable",
            "RemoteAccessDenied",
            "RemoteAccessDenied",
            "BucketNotFound",
          ],
        )
        for (const error of errors) {
          assert.notInclude(error.message + error.hint + JSON.stringify(error), "geheimnis")
          assert.notStrictEqual(error.hint, "")
        }
      }),
    )

    it.effect("only looking needs no right to write, and tells of a bucket that is not there", () =>
      Effect.gen(function* () {
        gate.reset()
        yield* checkReadable(yield* open({}, "s3://bucket/empty"))
        assert.deepStrictEqual(
          gate.passed.map(({ method }) => method),
          ["GET"],
        )
        const missing = yield* Effect.flip(checkReadable(yield* open({}, "s3://no-such-bucket")))
        assert.strictEqual(missing._tag, "BucketNotFound")
      }),
    )

    it.effect("refuses a service that ignores or does not know If-None-Match", () =>
      Effect.gen(function* () {
        gate.reset()
        gate.changeStatus((_, status) => (status === 412 ? 200 : status))
        const ignoring = yield* Effect.flip(checkWritable(yield* open({}, "s3://bucket/ignoring")))
        assert.strictEqual(ignoring._tag, "RemoteUnsuitable")
        assert.include(ignoring.message, "If-None-Match")
        gate.reset()
        gate.failWhen(() => ({ status: 501, body: "<Error><Code>NotImplemented</Code></Error>" }))
        const ignorant = yield* Effect.flip(checkWritable(yield* open()))
        assert.strictEqual(ignorant._tag, "RemoteUnsuitable")
        gate.reset()
      }),
    )
  })
})
