/** The whole net, small, and which part of it is seen; drag there to go elsewhere. */

import { useEffect, useRef } from 'preact/hooks'
import type { NetCanvas } from './canvas'
import { palette } from './paint/palette'
import type { Scene } from './scene'

const WIDTH = 156
const HEIGHT = 100
const PAD = 5

export function Minimap({ net }: { net: NetCanvas }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const picture = useRef<HTMLCanvasElement | null>(null)
  const scene = net.scene.value
  const colours = net.colours.value
  const theme = palette.value
  void net.camera.moved.value
  useEffect(() => {
    picture.current = scene ? drawn(scene, net) : null
  }, [scene, colours, theme])
  useEffect(() => {
    if (canvas.current && picture.current && scene) framed(canvas.current, picture.current, scene, net)
  })
  if (!scene || isWhole(scene, net)) return null
  const go = (event: PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect()
    const { scale, left, top } = placed(scene)
    const x = (event.clientX - box.left - left) / scale + scene.bounds.x
    const y = (event.clientY - box.top - top) / scale + scene.bounds.y
    const { camera } = net
    camera.set(x - camera.width / 2 / camera.scale, y - camera.height / 2 / camera.scale, camera.scale)
  }
  return (
    <canvas
      ref={canvas}
      class="minimap"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        go(event)
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) go(event)
      }}
    />
  )
}

function isWhole({ bounds }: Scene, { camera: { view } }: NetCanvas): boolean {
  return view.x <= bounds.x && view.y <= bounds.y && view.x + view.width >= bounds.x + bounds.width && view.y + view.height >= bounds.y + bounds.height
}

function placed({ bounds }: Scene) {
  const scale = Math.min((WIDTH - 2 * PAD) / bounds.width, (HEIGHT - 2 * PAD) / bounds.height)
  return { scale, left: (WIDTH - bounds.width * scale) / 2, top: (HEIGHT - bounds.height * scale) / 2 }
}

function drawn(scene: Scene, net: NetCanvas): HTMLCanvasElement {
  const ratio = devicePixelRatio || 1
  const made = document.createElement('canvas')
  ;[made.width, made.height] = [WIDTH * ratio, HEIGHT * ratio]
  const context = made.getContext('2d')!
  const { scale, left, top } = placed(scene)
  const words = net.words()
  const unit = ratio * scale
  context.setTransform(unit, 0, 0, unit, ratio * left - scene.bounds.x * unit, ratio * top - scene.bounds.y * unit)
  const grow = Math.max(0, 1.6 / scale - 80) / 2
  scene.cards.forEach((card, n) => {
    context.fillStyle = net.colours.peek().get(words[n]!)?.solid ?? '#888'
    context.fillRect(scene.layout.x[n]! - grow, scene.layout.y[n]! - grow, card.width + 2 * grow, card.height + 2 * grow)
  })
  return made
}

function framed(canvas: HTMLCanvasElement, picture: HTMLCanvasElement, scene: Scene, net: NetCanvas): void {
  const ratio = devicePixelRatio || 1
  if (canvas.width !== picture.width) [canvas.width, canvas.height] = [picture.width, picture.height]
  const context = canvas.getContext('2d')!
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.clearRect(0, 0, canvas.width, canvas.height)
  context.drawImage(picture, 0, 0)
  const { scale, left, top } = placed(scene)
  const { view } = net.camera
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  const rect = [left + (view.x - scene.bounds.x) * scale, top + (view.y - scene.bounds.y) * scale, Math.max(4, view.width * scale), Math.max(4, view.height * scale)] as const
  context.strokeStyle = palette.peek().accent
  context.lineWidth = 1.5
  context.strokeRect(...rect)
  context.globalAlpha = 0.1
  context.fillStyle = palette.peek().accent
  context.fillRect(...rect)
  context.globalAlpha = 1
}
