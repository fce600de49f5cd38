/** How models and memory are written in the status bar. */

import { size } from '../log/formats';
import type { LoadedModel, Memory, Status } from './protocol';

/** `466 MB` of this process, or `12.1 GB / 80.0 GB` of a GPU. */
export function memory(memory: Memory): string {
  const used = size(memory.used);
  return memory.total === null ? used : `${used} / ${size(memory.total)}`;
}

/** What the memory is of, for those who ask. */
export function memoryInWords(memory: Memory, model: LoadedModel): string {
  return memory.total === null
    ? `${size(memory.used)}, the whole kernel`
    : `${size(memory.used)} of ${size(memory.total)} on ${model.deviceName}`;
}

/** `none` says nothing about the weights, so their type stands for it. */
export function quantization(model: LoadedModel): string {
  return model.quant === 'none' || model.quant === ''
    ? model.dtype
    : model.quant;
}

/** The line of the status bar; empty if no model is loaded. */
export function summary(status: Status): string {
  const model = status.model;
  if (model === null) {
    return '';
  }
  const parts = [model.name, quantization(model)];
  if (status.memory !== null) {
    parts.push(memory(status.memory));
  }
  return parts.filter(part => part !== '').join(' · ');
}

/** How many weights a model has: `5.2M`, `7.6B`. */
export function parameters(count: number): string {
  return count < 1e9
    ? `${(count / 1e6).toFixed(1)}M`
    : `${(count / 1e9).toFixed(1)}B`;
}

/** What goes on, in words: `prompting`. */
export function activity(kind: string): string {
  const known: Readonly<Record<string, string>> = {
    prompt: 'prompting',
    evaluate: 'evaluating',
    embed: 'embedding',
    finetune: 'tuning'
  };
  return known[kind] ?? kind;
}
