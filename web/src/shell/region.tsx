/** A part of the page with tabs. */

import { useId } from 'preact/hooks'
import { kept } from '../kept'
import type { Panel } from '../panels'
import type { ComponentChildren } from 'preact'

interface RegionProps {
  name: string
  label: string
  panels: Panel[]
  /** What stands at the right end of the tabs. */
  end?: ComponentChildren
}

const chosen = new Map<string, ReturnType<typeof kept<string>>>()

/** The tab that a region shows, by the region's name: `view`, `left`, `right`, `bottom`. */
export function tabOf(region: string) {
  let tab = chosen.get(region)
  if (!tab) chosen.set(region, (tab = kept(`tab.${region}`, '')))
  return tab
}

export function Region({ name, label, panels, end }: RegionProps) {
  const tab = tabOf(name)
  const base = useId()
  const shown = panels.find((panel) => panel.id === tab.value) ?? panels[0]
  if (!shown) return <section class={`region ${name}`} aria-label={label} />
  const step = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (!by) return
    const next = panels[(panels.indexOf(shown) + by + panels.length) % panels.length]!
    tab.value = next.id
    document.getElementById(`${base}-${next.id}`)?.focus()
    event.preventDefault()
  }
  return (
    <section class={`region ${name}`} aria-label={label}>
      <div class="tabs">
        <div role="tablist" aria-label={label} class="tabs" onKeyDown={step}>
          {panels.map((panel) => (
            <button
              key={panel.id}
              id={`${base}-${panel.id}`}
              type="button"
              role="tab"
              aria-selected={panel === shown}
              aria-controls={`${base}-content`}
              tabIndex={panel === shown ? 0 : -1}
              onClick={() => (tab.value = panel.id)}
            >
              {panel.label}
            </button>
          ))}
        </div>
        {end && <div class="end">{end}</div>}
      </div>
      <div class={`content${name === 'view' ? ' fixed' : ''}`} id={`${base}-content`} role="tabpanel" aria-label={shown.label}>
        <shown.View />
      </div>
    </section>
  )
}
