/** What was refused, in the words of the server, and what long commands answered; each goes by itself or when dismissed. */

import { signal, useSignalEffect } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { faultText } from '../../protocol'
import { useStore } from '../context'

interface Toast {
  number: number
  kind: 'refused' | 'told'
  text: string
}

const toasts = signal<readonly Toast[]>([])
let count = 0
const MOST = 4
const STAYS = { refused: 12_000, told: 6000 }

/** Shows a text for a while; one that is shown already is shown anew. */
export function tell(text: string, kind: Toast['kind'] = 'told'): void {
  const rest = toasts.peek().filter((toast) => toast.text !== text)
  toasts.value = [...rest, { number: (count += 1), kind, text }].slice(-MOST)
}

function dismiss(number: number): void {
  toasts.value = toasts.peek().filter((toast) => toast.number !== number)
}

export function Toasts() {
  const store = useStore()
  useSignalEffect(() => {
    const fault = store.fault.value
    if (!fault) return
    tell(fault.faults.map(faultText).join('\n'), 'refused')
    store.fault.value = null
  })
  return (
    <div class="toasts">
      <div role="alert">
        {toasts.value
          .filter((toast) => toast.kind === 'refused')
          .map((toast) => (
            <One key={toast.number} toast={toast} />
          ))}
      </div>
      <div role="status">
        {toasts.value
          .filter((toast) => toast.kind === 'told')
          .map((toast) => (
            <One key={toast.number} toast={toast} />
          ))}
      </div>
    </div>
  )
}

function One({ toast }: { toast: Toast }) {
  useEffect(() => {
    const timer = setTimeout(() => dismiss(toast.number), STAYS[toast.kind])
    return () => clearTimeout(timer)
  }, [toast.number])
  return (
    <div class={`toast ${toast.kind}`}>
      <span class="toast-mark" aria-hidden="true">
        {toast.kind === 'refused' ? '✕' : '✓'}
      </span>
      <pre>
        {toast.kind === 'refused' && <span class="hidden-visually">Refused: </span>}
        {toast.text}
      </pre>
      <button type="button" class="button quiet small" aria-label="Dismiss" onClick={() => dismiss(toast.number)}>
        ✕
      </button>
    </div>
  )
}
