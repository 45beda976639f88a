/** What can be done to the block or edge under the pointer. */

import { useEffect, useRef } from 'preact/hooks'
import { store } from '../session'
import { enlarged, toggle } from './state'
import type { NetCanvas } from './canvas'
import type { Pointed } from './paint/overlay'

export interface MenuAt {
  at: Pointed
  x: number
  y: number
}

interface Item {
  label: string
  act: () => void
}

export function Menu({ net, open, onClose }: { net: NetCanvas; open: MenuAt; onClose: () => void }) {
  const list = useRef<HTMLUListElement>(null)
  const { title, items } = itemsOf(net, open.at)
  useEffect(() => {
    list.current?.querySelector('button')?.focus()
    const outside = (event: PointerEvent) => {
      if (!list.current?.parentElement?.contains(event.target as Node)) onClose()
    }
    addEventListener('pointerdown', outside)
    return () => removeEventListener('pointerdown', outside)
  }, [])
  const step = (event: KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])]
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    if (event.key === 'Escape' || event.key === 'Tab') {
      onClose()
      net.canvas.focus()
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      buttons[(buttons.length + at + (event.key === 'ArrowDown' ? 1 : -1)) % buttons.length]?.focus()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
  const left = Math.min(open.x, net.camera.width - 196)
  const top = Math.min(open.y, net.camera.height - 40 - 27 * items.length)
  return (
    <div class="menu" style={{ left: `${left}px`, top: `${Math.max(4, top)}px` }} onKeyDown={step}>
      <p title={title}>{title}</p>
      <ul ref={list} role="menu" aria-label={title}>
        {items.map(({ label, act }) => (
          <li key={label} role="none">
            <button
              type="button"
              role="menuitem"
              onClick={() => {
                onClose()
                net.canvas.focus()
                act()
              }}
            >
              {label}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

function itemsOf(net: NetCanvas, at: Pointed): { title: string; items: Item[] } {
  const scene = net.scene.peek()!
  const command = (label: string, text: string): Item => ({ label, act: () => void store.perform(text) })
  if (at.frame !== null) {
    const { path } = scene.shown.frames[at.frame]!
    return { title: path, items: [{ label: 'Collapse', act: () => toggle(path) }, command('Lesion all blocks', `lesion ${path}/**`), command('Restore all blocks', `restore ${path}/**`)] }
  }
  if (at.link !== null) {
    const { from, to } = scene.graph.wires[scene.shown.links[at.link]!.wires[0]!]!.info
    return { title: `${from} → ${to}`, items: [command('Lesion this edge', `lesion ${from}->${to}`), command('Restore this edge', `restore ${from}->${to}`)] }
  }
  const node = scene.shown.nodes[at.node!]!
  if (node.kind === 'module') {
    return { title: node.id, items: [{ label: 'Expand', act: () => toggle(node.id) }, command('Lesion all blocks', `lesion ${node.id}/**`), command('Restore all blocks', `restore ${node.id}/**`)] }
  }
  const isHeld = net.marksOf(node.id).length > 0
  const items: Item[] = [{ label: 'Enlarge', act: () => (enlarged.value = node.id) }]
  if (isHeld) items.push(command('Restore', `restore ${node.id}`))
  items.push(command('Lesion', `lesion ${node.id}`), command('Clamp to 0', `clamp ${node.id} 0`), command('Add noise, std 0.1', `noise ${node.id} 0.1`))
  if (node.leaf.block?.parameters.length) items.push(command('Reinitialise', `reinitialise net/${node.id}/*`))
  return { title: node.id, items }
}
