import { useSignalEffect } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { AddressInfo } from '../../protocol'
import { useStore } from '../context'

/** What stands at the addresses of a pattern, read again after every command; null until it is first there. */
export function useAddresses(pattern: string | null): AddressInfo[] | null {
  const store = useStore()
  const [found, setFound] = useState<AddressInfo[] | null>(null)
  const [turn, setTurn] = useState(0)
  const first = useRef(true)
  useSignalEffect(() => {
    store.history.value // a command may have changed any of them
    store.connection.value
    if (first.current) first.current = false
    else setTurn((before) => before + 1)
  })
  useEffect(() => setFound(null), [pattern])
  useEffect(() => {
    if (pattern === null || store.id.peek() === null) return
    const abort = new AbortController()
    const read = async () => {
      try {
        const query = { pattern, limit: 500 }
        const answer = await store.rest.get<AddressInfo[] | { addresses: AddressInfo[] }>(store.path('addresses'), query, abort.signal)
        setFound(Array.isArray(answer) ? answer : answer.addresses)
      } catch {
        if (!abort.signal.aborted) setFound((before) => before ?? [])
      }
    }
    const timer = setTimeout(() => void read(), turn ? 60 : 0)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [pattern, turn])
  return found
}
