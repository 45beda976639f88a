import { describe, expect, it } from 'vitest'
import { Camera } from '../../src/net/camera'
import { wheeled } from '../../src/net/input'

function camera(): Camera {
  const made = new Camera()
  made.resize(800, 400)
  return made
}

const wheel = (init: Partial<WheelEvent>) => ({ deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, metaKey: false, shiftKey: false, ...init }) as WheelEvent

describe('the camera', () => {
  it('keeps the point under the pointer where it is while it scales', () => {
    const made = camera()
    made.set(10, 20, 0.5)
    const before = made.toWorld(300, 100)
    made.zoom(1.7, 300, 100)
    expect(made.toWorld(300, 100)).toEqual([expect.closeTo(before[0], 6), expect.closeTo(before[1], 6)])
    expect(made.scale).toBeCloseTo(0.85)
  })

  it('shows a rectangle whole', () => {
    const made = camera()
    made.fit({ x: -500, y: 40, width: 3000, height: 200 })
    const { view } = made
    expect(view.x).toBeLessThan(-500)
    expect(view.x + view.width).toBeGreaterThan(2500)
  })

  it('never scales beyond what can be seen', () => {
    const made = camera()
    made.zoom(1e9)
    expect(made.scale).toBe(6)
    made.zoom(1e-9)
    expect(made.scale).toBe(0.004)
  })

  it('ends a flight where it was sent', () => {
    const made = camera()
    made.set(0, 0, 1)
    made.fly(500, 300, 0.5)
    made.advance(performance.now() + 10_000)
    expect([made.x, made.y, made.scale]).toEqual([expect.closeTo(500), expect.closeTo(300), expect.closeTo(0.5)])
  })
})

describe('the wheel', () => {
  it('of a mouse scales', () => {
    const made = camera()
    wheeled({ camera: made }, wheel({ deltaY: -120 }), 0, 0)
    expect(made.scale).toBeGreaterThan(1)
  })

  it('of a touchpad moves, and scales where it is pinched', () => {
    const made = camera()
    wheeled({ camera: made }, wheel({ deltaX: 7.5, deltaY: -3.25 }), 0, 0)
    expect([made.x, made.y, made.scale]).toEqual([7.5, -3.25, 1])
    wheeled({ camera: made }, wheel({ deltaY: 6, ctrlKey: true }), 0, 0)
    expect(made.scale).toBeLessThan(1)
  })
})
