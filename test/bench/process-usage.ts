import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html : 100 ticks a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000;

/** Resident memory of a process in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) / 1024;
  } catch {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
    return Number(stdout) / 1024;
  }
}

/** The most memory that a process has had resident, in MiB; where the system doesn't say so, what it has now. */
export async function peakMiB(pid: number): Promise<number> {
  const kilobytes = await readFile(`/proc/${pid}/status`, 'utf8').then((status) => Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]), () => Number.NaN);
  return Number.isNaN(kilobytes) ? residentMiB(pid) : kilobytes / 1024;
}

/** Processor time that a process has taken, in microseconds; NaN where the system doesn't say so exactly. */
export async function cpuMicros(pid: number): Promise<number> {
  const fields = await readFile(`/proc/${pid}/stat`, 'utf8').then((text) => text.slice(text.lastIndexOf(')') + 2).split(' '), () => []);
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}
