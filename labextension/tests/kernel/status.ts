/** Messages as `fmagic/frontend.py` sends them. */

export const MODEL = {
  name: 'tiny',
  spec: 'tiny',
  kind: 'causal',
  quant: 'none',
  dtype: 'bfloat16',
  device: 'cpu',
  device_name: 'A processor',
  adapter: null,
  parameters: 5_185_280,
  weight_bytes: 10_370_816,
  context_length: 2048
};

export function status(overrides: object): Record<string, unknown> {
  return {
    version: 1,
    type: 'status',
    model: MODEL,
    memory: { used: 465_900_000, total: null },
    loaded: [MODEL],
    running: null,
    picker: false,
    ...overrides
  };
}
