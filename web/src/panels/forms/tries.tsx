/** Commands whose refusal is shown beside what asked for it. */

import { useState } from 'preact/hooks'
import { FaultError, faultText } from '../../protocol'
import { useStore } from '../context'

/** Gives commands and keeps why the last one was refused, to be shown beside what asked for it. */
export function useTries() {
  const store = useStore()
  const [faults, setFaults] = useState<string[]>([])
  const [isBusy, setBusy] = useState(false)
  const attempt = async (text: string): Promise<boolean> => {
    setBusy(true)
    try {
      await store.command(text)
      setFaults([])
      return true
    } catch (error) {
      setFaults(error instanceof FaultError ? error.faults.map(faultText) : [String(error)])
      return false
    } finally {
      setBusy(false)
    }
  }
  return { attempt, faults, isBusy }
}

export function FaultList({ faults }: { faults: readonly string[] }) {
  if (!faults.length) return null
  return (
    <ul class="fault-list" role="alert">
      {faults.map((fault) => (
        <li key={fault}>{fault}</li>
      ))}
    </ul>
  )
}
