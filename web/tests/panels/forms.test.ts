import { describe, expect, it } from 'vitest'
import { faultIn } from '../../src/panels/forms/number'
import { fromPlace, RATE, rangeOf, toPlace } from '../../src/panels/forms/ranges'
import { ratesOf } from '../../src/panels/learning/learning'

describe('ranges of sliders', () => {
  it('suit the number by its name', () => {
    expect(rangeOf('learning/main/rate', 0.01)).toBe(RATE)
    expect(rangeOf('net/drop/p', 0.5)).toEqual({ low: 0, high: 1, scale: 'linear' })
    expect(rangeOf('learning/main/betas[0]', 0.9)).toMatchObject({ low: 0, high: 1 })
    expect(rangeOf('learning/main/weight_decay', 5e-4)).toMatchObject({ scale: 'log', zero: true })
    expect(rangeOf('data/duration', 7)).toMatchObject({ low: 0, high: 100, step: 1 })
    expect(rangeOf('learning/main/every', 1)).toMatchObject({ low: 0, high: 10, step: 1 })
    expect(rangeOf('net/a/threshold', -0.3)).toMatchObject({ low: -1, high: 1 })
  })

  it.each([
    ['linear', { low: 0, high: 1, scale: 'linear' as const }, 0.25],
    ['log', RATE, 0.001],
    ['log at its end', RATE, 10],
    ['log at zero', RATE, 0],
  ])('come back to the value: %s', (_, range, value) => {
    expect(fromPlace(toPlace(value, range), range)).toBeCloseTo(value, 6)
  })

  it('are decades apart on a logarithmic slider', () => {
    expect(toPlace(1e-3, RATE) - toPlace(1e-4, RATE)).toBeCloseTo(toPlace(1, RATE) - toPlace(0.1, RATE), 6)
  })

  it('stay on whole numbers where only these mean anything', () => {
    expect(fromPlace(333, { low: 0, high: 10, scale: 'linear', step: 1 })).toBe(3)
  })
})

it('says why a number cannot be taken', () => {
  expect(faultIn('x')).toBe('must be a number')
  expect(faultIn('1.5', undefined, undefined, true)).toBe('must be a whole number')
  expect(faultIn('-1', 0)).toBe('must be at least 0')
  expect(faultIn('3', 0, 2)).toBe('must be at most 2')
  expect(faultIn('2', 0, 2)).toBeNull()
})

it('lists the rates of a rule by part', () => {
  expect(ratesOf({ name: 'main', active: true, rate: 0.1 })).toEqual([{ part: '', rate: 0.1, isHeld: null }])
  expect(ratesOf({ name: 'main', active: true, rate: { a: 0.1, b: 1 } }).map((one) => one.part)).toEqual(['a', 'b'])
  expect(ratesOf({ name: 'main', active: true, rate: { a: 0.1, b: 1 }, held: { a: true, b: false } }).map((one) => one.isHeld)).toEqual([true, false])
  expect(ratesOf({ name: 'decay', active: true, rate: null })).toEqual([])
})
