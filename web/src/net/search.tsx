/** Finds blocks, inputs and modules by name or type, and goes there. */

import { useMemo, useRef, useState } from 'preact/hooks'
import type { Graph } from './graph'
import { lastName } from './kinds'
import { goTo, graph } from './state'

const MOST = 40

export interface Found {
  path: string
  about: string
}

/** What matches a text: names that begin with it first, then names and paths that hold it, then types. */
export function find(known: Graph, text: string, most = MOST): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return []
  const found: (Found & { rank: number })[] = []
  const consider = (path: string, name: string, about: string) => {
    const whole = `${path} ${about}`.toLowerCase()
    if (!words.every((word) => whole.includes(word))) return
    const [first] = words as [string]
    const low = name.toLowerCase()
    const rank = low === first ? 0 : low.startsWith(first) ? 1 : low.includes(first) ? 2 : path.toLowerCase().includes(first) ? 3 : 4
    found.push({ path, about, rank })
  }
  for (const module of known.modules.values()) consider(module.path, module.name, `${module.count} blocks`)
  for (const leaf of known.leaves) consider(leaf.path, leaf.name, leaf.block ? lastName(leaf.block.type) : 'input')
  return found.sort((a, b) => a.rank - b.rank || a.path.length - b.path.length).slice(0, most)
}

export function Search() {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const [isOpen, setOpen] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const known = graph.value
  const found = useMemo(() => (known && isOpen ? find(known, text) : []), [known, text, isOpen])
  const choose = (path: string) => {
    goTo(path, { open: true })
    setOpen(false)
    field.current?.blur()
  }
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      setAt((found.length + at + (event.key === 'ArrowDown' ? 1 : -1)) % Math.max(1, found.length))
    } else if (event.key === 'Enter' && found[at]) choose(found[at].path)
    else if (event.key === 'Escape') field.current?.blur()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <div class="search" role="search">
      <input
        ref={field}
        id="net-search"
        class="field"
        type="text"
        placeholder="Find a block ( / )"
        aria-label="Find a block by name or type"
        role="combobox"
        aria-expanded={found.length > 0}
        aria-controls="net-found"
        aria-activedescendant={found[at] ? `net-found-${at}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={pressed}
      />
      {found.length > 0 && (
        <ul class="found" id="net-found" role="listbox" aria-label="Found">
          {found.map(({ path, about }, n) => (
            <li
              key={path}
              id={`net-found-${n}`}
              role="option"
              aria-selected={n === at}
              onPointerDown={(event) => {
                event.preventDefault()
                choose(path)
              }}
            >
              <Path text={path} />
              <span class="about">{about}</span>
            </li>
          ))}
        </ul>
      )}
      {isOpen && text && !found.length && <p class="found none">Nothing is called that.</p>}
    </div>
  )
}

/** A path whose last part stands out. */
export function Path({ text }: { text: string }) {
  const at = text.lastIndexOf('/') + 1
  return (
    <span class="path" title={text}>
      {at > 0 && <span class="within">{text.slice(0, at)}</span>}
      <span>{text.slice(at)}</span>
    </span>
  )
}
