import { useComputed } from '@preact/signals'
import { useMemo } from 'preact/hooks'

/**
 * A part of what signals hold, compared by its content.
 *
 * A status comes several times a second with a new clock; what reads only its rules is drawn anew when these change.
 */
export function useSlice<T>(read: () => T): T {
  const text = useComputed(() => JSON.stringify(read()) ?? 'null').value
  return useMemo(() => JSON.parse(text) as T, [text])
}
