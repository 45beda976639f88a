/** Signals that the browser remembers between visits. */

import { effect, signal, type Signal } from '@preact/signals'

export function kept<T>(name: string, initial: T): Signal<T> {
  const key = `rillnet.${name}`
  const value = signal(read(key, initial))
  effect(() => {
    try {
      localStorage.setItem(key, JSON.stringify(value.value))
    } catch {
      // a browser that keeps nothing: the page works, and forgets
    }
  })
  return value
}

function read<T>(key: string, initial: T): T {
  try {
    const text = localStorage.getItem(key)
    return text === null ? initial : (JSON.parse(text) as T)
  } catch {
    return initial
  }
}
