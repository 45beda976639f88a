import type { ComponentChildren } from 'preact'
import { kept } from '../../kept'

const open = kept<Record<string, boolean>>('inspector.open', {})

interface Props {
  id: string
  title: string
  /** In a few words, what is in it. */
  note?: ComponentChildren
  /** Whether it is open before anybody opened or closed it. */
  isOpen?: boolean
  children?: ComponentChildren
}

/** A part of the inspector that can be folded; what is folded away is not watched. */
export function Section({ id, title, note, isOpen = true, children }: Props) {
  const shown = open.value[id] ?? isOpen
  return (
    <section class="section">
      <h3>
        <button type="button" aria-expanded={shown} onClick={() => (open.value = { ...open.value, [id]: !shown })}>
          <span class="chevron" aria-hidden="true">
            ▸
          </span>
          {title}
          {note !== undefined && <span class="note">{note}</span>}
        </button>
      </h3>
      {shown && <div class="section-body">{children}</div>}
    </section>
  )
}
