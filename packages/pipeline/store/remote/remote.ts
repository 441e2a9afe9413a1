import { Effect, type Option, type Stream } from "effect"
import type { RemoteError } from "./remote_error.ts"

/** What is to be kept: how much it is, and its bytes from anywhere on, as often as they are asked for. */
export interface RemoteContent<E> {
  readonly bytes: number
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array<ArrayBuffer>, E>
}

/** A content that is in memory. */
export const inMemory = (bytes: Uint8Array): RemoteContent<never> => ({
  bytes: bytes.length,
  read: (offset, length) => Effect.sync(() => bytes.slice(offset, offset + length)),
})

/**
 * A place that several stores share: contents under names, with slashes in them as in paths. Whatever
 * fails for a moment is tried again before a failure is told.
 */
export interface Remote {
  /** For people: `s3://bucket/prefix`. */
  readonly address: string
  /** How many bytes are under a name; none where nothing is. */
  readonly size: (name: string) => Effect.Effect<Option.Option<number>, RemoteError>
  /** Hands what is under a name to `receive`, from the beginning again where it broke off. */
  readonly get: <A, E extends { readonly _tag: string }>(
    name: string,
    receive: (body: Stream.Stream<Uint8Array, RemoteError>) => Effect.Effect<A, E | RemoteError>,
  ) => Effect.Effect<Option.Option<A>, E | RemoteError>
  /** Keeps a content whole or not at all. */
  readonly put: <E>(name: string, content: RemoteContent<E>) => Effect.Effect<void, E | RemoteError>
  /** Keeps a small content where nothing is yet; says whether that was so. Of several one wins. */
  readonly putFirst: (name: string, bytes: Uint8Array) => Effect.Effect<boolean, RemoteError>
  /** The names that begin so. */
  readonly list: (start: string) => Effect.Effect<ReadonlyArray<string>, RemoteError>
  readonly remove: (name: string) => Effect.Effect<void, RemoteError>
}
