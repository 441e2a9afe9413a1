import { DeviceLost } from "@espalier/tensor"
import { Effect } from "effect"

/** A GPU device and what became of it. */
export class Connection {
  readonly device: GPUDevice
  /** The adapter in a person's words. */
  readonly name: string
  #lost: string | undefined
  #defect: string | undefined
  #unsubmitted = 0
  #submits = 0
  /** WGSL by pipeline label, for messages about errors that nobody waited for. */
  readonly sources = new Map<string, string>()

  constructor(device: GPUDevice, name: string) {
    this.device = device
    this.name = name
    void device.lost.then(({ reason, message }) => {
      this.#lost ??= message.split("\n")[0] || reason
    })
    device.addEventListener("uncapturederror", (event) => this.#uncaptured(event))
  }

  #uncaptured(event: GPUUncapturedErrorEvent): void {
    event.preventDefault()
    const { message } = event.error
    const source = [...this.sources].find(([label]) => message.includes(`"${label}"`))
    this.#defect ??= source === undefined ? message : `${message}\n\n${source[1]}`
  }

  /** Ends the device. */
  close(): void {
    this.#lost = "the scope of its layer is closed"
    this.device.destroy()
  }

  get lost(): DeviceLost | undefined {
    if (this.#lost === undefined) return undefined
    return new DeviceLost({
      device: this.name,
      problem: this.#lost,
      hint: "What it held is gone: make a new device and upload again.",
    })
  }

  /** Fails where the device is lost, dies where it reported an error of ours. */
  readonly check: Effect.Effect<void, DeviceLost> = Effect.suspend(() => {
    if (this.#defect !== undefined) return Effect.die(new Error(`${this.name}: ${this.#defect}`))
    return this.lost ?? Effect.void
  })

  /** Waits for a promise of the device; a rejection means that the device is lost. */
  wait<A>(promise: () => Promise<A>): Effect.Effect<A, DeviceLost> {
    return Effect.uninterruptible(
      Effect.tryPromise({
        try: promise,
        catch: (cause) =>
          this.lost ??
          new DeviceLost({
            device: this.name,
            problem: cause instanceof Error ? cause.message.split("\n")[0] : String(cause),
            hint: "Make a new device and upload again.",
          }),
      }),
    )
  }

  readonly #drain = this.wait(() => this.device.queue.onSubmittedWorkDone())

  /** Uploads; large amounts wait for the device, which would else hold a copy of all of them. */
  upload(buffer: GPUBuffer, data: ArrayBufferView): Effect.Effect<void, DeviceLost> {
    return Effect.suspend(() => {
      const { queue } = this.device
      queue.writeBuffer(buffer, 0, data.buffer, data.byteOffset, data.byteLength)
      this.#unsubmitted += data.byteLength
      if (this.#unsubmitted < 2 ** 26) return Effect.void
      this.#unsubmitted = 0
      queue.submit([])
      return this.#drain
    })
  }

  /** Submits; now and then waits, so that neither commands nor callbacks pile up. */
  submit(commands: GPUCommandBuffer): Effect.Effect<void, DeviceLost> {
    return Effect.suspend(() => {
      this.device.queue.submit([commands])
      this.#unsubmitted = 0
      this.#submits++
      return this.#submits % 64 === 0 ? this.#drain : Effect.void
    })
  }
}
