import { describe, expect, it } from 'vitest'
import { command, shortened, value, word } from '../../src/panels/commands'

describe('word', () => {
  it('leaves alone what brackets hold together', () => {
    expect(word('hidden1[:, 4:10]')).toBe('hidden1[:, 4:10]')
    expect(word('image->hidden1')).toBe('image->hidden1')
    expect(word('net/**/weight')).toBe('net/**/weight')
    expect(word('normal(0, 1)')).toBe('normal(0, 1)')
  })

  it('quotes what would be read as several words, or as a name with a value', () => {
    expect(word('two words')).toBe('"two words"')
    expect(word('a=b')).toBe('"a=b"')
    expect(word('')).toBe('""')
    expect(word('open[')).toBe('"open["')
  })
})

describe('value', () => {
  it('writes numbers, words and lists as YAML reads them', () => {
    expect(value(0.003)).toBe('0.003')
    expect(value(1e-7)).toBe('1e-7')
    expect(value(NaN)).toBe('.nan')
    expect(value('auto')).toBe('auto')
    expect(value('on')).toBe('"on"')
    expect(value([[0.5, 1 / 3], [1, 2]])).toBe('[[0.5,0.333333],[1,2]]')
    expect(value({ type: 'Linear' })).toBe('{"type":"Linear"}')
  })
})

it('writes named arguments behind words, and leaves out those without a value', () => {
  expect(command('connect', ['a->b'], { delay: 2 })).toBe('connect a->b delay=2')
  expect(command('lesion', ['hidden1'], { mask: { shape: [2], bits: 'gA==' } })).toBe('lesion hidden1 mask={"shape":[2],"bits":"gA=="}')
  expect(command('play', [], { delay: undefined })).toBe('play')
})

it('tells long lists by their length', () => {
  const text = `clamp image value=${JSON.stringify(Array.from({ length: 64 }, (_, n) => n / 64))}`
  expect(shortened(text)).toBe('clamp image value=[64 numbers]')
  expect(shortened(`clamp image ${JSON.stringify(Array(64).fill(0)).replaceAll(',', ', ').slice(0, 120)} ...`)).toBe('clamp image [many numbers]')
  expect(shortened(`clamp image ${JSON.stringify(Array(64).fill(0.5))} at=x`)).toBe('clamp image [64 numbers] at=x')
  expect(shortened('rate main 0.1')).toBe('rate main 0.1')
})
