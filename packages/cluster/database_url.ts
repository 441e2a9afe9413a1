import { Redacted } from "effect"

/** An address for people: without password and parameters. */
export const withoutPassword = (url: Redacted.Redacted): string => {
  try {
    const { protocol, username, host, pathname } = new URL(Redacted.value(url))
    if (!/^postgres(ql)?:$/.test(protocol)) return "(not postgres://…)"
    return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}`
  } catch {
    return "(not postgres://…)"
  }
}

/** Takes the password out of what somebody else wrote. */
export const scrub = (url: Redacted.Redacted, text: string): string => {
  const secrets = [Redacted.value(url)]
  try {
    const { password } = new URL(Redacted.value(url))
    secrets.push(password, decodeURIComponent(password))
  } catch {
    // What is no URL is hidden whole.
  }
  return secrets
    .filter((secret) => secret !== "")
    .reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "***"), text)
}
