/** The page's keys, and the overlay that lists them. */

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { useStore } from '../context'
import { ACTIONS, actionOf, keyText } from './actions'

/** Whether the overlay is shown. */
export const helpIsShown = signal(false)

/** Keys that other parts of the page listen to; listed with the rest. */
const OTHERS: readonly { group: string; keys: string[]; label: string }[] = [
  { group: 'Page', keys: ['?'], label: 'Show or hide this list' },
  { group: 'Page', keys: ['Tab', 'Shift Tab'], label: 'To the next or the last control' },
  { group: 'Page', keys: ['←', '→'], label: 'To the next tab, where a tab has the focus' },
  { group: 'Net', keys: ['/'], label: 'Find a block by its name' },
  { group: 'Net', keys: ['←', '↑', '→', '↓'], label: 'To the block beside; with Shift, move the view' },
  { group: 'Net', keys: ['Enter'], label: 'Show its output large, or open its module' },
  { group: 'Net', keys: ['M'], label: 'What can be done to it' },
  { group: 'Net', keys: ['+', '−', 'F'], label: 'Scale, or show the whole net' },
  { group: 'Numbers', keys: ['↑', '↓'], label: 'Change a number field by its leading digit' },
  { group: 'Numbers', keys: ['Enter'], label: 'Send the number' },
]

export function Keys() {
  const store = useStore()
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key === '?' && !isTyping(event)) {
        helpIsShown.value = !helpIsShown.value
        event.preventDefault()
        return
      }
      if (helpIsShown.value || document.querySelector('dialog[open]')) return
      const found = actionOf(event)
      if (!found || (found.group !== 'Page' && store.connection.value !== 'open')) return
      if (!found.isOffered(store.status.value)) return
      found.perform(store)
      event.preventDefault()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [store])
  return helpIsShown.value ? <Help /> : null
}

function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof Element && event.target.closest('input:not([type=range],[type=checkbox],[type=radio]), textarea') !== null
}

function Help() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    element?.showModal?.()
    return () => element?.close?.()
  }, [])
  const rows = [...ACTIONS.map(({ group, keys, label }) => ({ group, keys: keys.map(keyText), label })), ...OTHERS]
  const groups = [...new Set(rows.map((row) => row.group))]
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpIsShown.value = false)}>
      <div class="head">
        <h2 id="help-title">Keys</h2>
        <button type="button" class="button quiet" aria-label="Close" onClick={() => (helpIsShown.value = false)}>
          ✕
        </button>
      </div>
      <div class="groups">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {rows
                .filter((row) => row.group === group)
                .map((row) => (
                  <div key={row.label}>
                    <dt>
                      {row.keys.map((key) => (
                        <kbd key={key}>{key}</kbd>
                      ))}
                    </dt>
                    <dd>{row.label}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  )
}
