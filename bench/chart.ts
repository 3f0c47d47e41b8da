import * as echarts from 'echarts';
import { formatNumber, formatSize } from './format.ts';
import type { Chart, Figure } from './result.ts';
import { median } from './stats.ts';

const WIDTH = 760;
const LEGEND_LINE = 20;
const INK = '#1f2328';
const PALE = '#8c959f';
const COLOURS = ['#0969da', '#bc4c00', '#1a7f37', '#8250df', '#bf3989', '#6e7781', '#9a6700', '#0a7ea4'];

/** Wider than any common sans-serif, so that nothing overlaps or is cut: there are no fonts here to measure, and the reader's are not known. */
echarts.setPlatformAPI({
  measureText: (text, font = '') => ({ width: text.length * (Number(/(\d+)px/.exec(font)?.[1] ?? 12) * 0.62) }),
});

/** Draw a chart: an SVG of its own, on white, text as text. The same chart always gives the same bytes. */
export function drawChart(chart: Chart): string {
  const categories = [...new Set(chart.series.flatMap(({ points }) => points.map(([x]) => String(x))))];
  const bars = chart.kind === 'bar' ? categories.length * chart.series.length : 0;
  // A legend takes a line for each series: names are long.
  const legend = chart.series.length > 1 ? chart.series.length * LEGEND_LINE : 0;
  const size = { width: WIDTH, height: legend + (chart.kind === 'bar' ? 110 + bars * 22 + categories.length * 14 : 400) };
  const drawing = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    drawing.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      color: COLOURS,
      textStyle: { color: INK, fontFamily: 'sans-serif' },
      title: { text: chart.title, left: 12, top: 8, textStyle: { fontSize: 15, color: INK, width: WIDTH - 24, overflow: 'break' } },
      legend: { show: legend > 0, orient: 'vertical', left: 12, top: 36, itemGap: 6, textStyle: { color: INK } },
      grid: { left: 28, right: 64, top: 48 + legend, bottom: 28, containLabel: true },
      ...(chart.kind === 'bar' ? barOptions(chart, categories) : lineOptions(chart)),
    });
    return stable(drawing.renderToSVGString());
  } finally {
    drawing.dispose();
  }
}

/** A bar for each side of a figure: the medians of its rounds. */
export function barChart(name: string, title: string, figure: Figure): Chart {
  const points = Object.entries(figure.sides).map(([side, values]) => [side, median(values)] as const);
  return { name, title, kind: 'bar', x: { label: '' }, y: { label: figure.unit }, series: [{ name: figure.name, points }] };
}

/** Lying, so that a side's name is read whole. */
function barOptions({ x, y, series }: Chart, categories: string[]): echarts.EChartsOption {
  return {
    xAxis: { ...axis(y), type: y.log ? 'log' : 'value' },
    yAxis: { ...axis(x), type: 'category', data: categories, inverse: true, nameLocation: 'start' },
    series: series.map(({ name, points }) => {
      const values = new Map(points.map(([at, value]) => [String(at), value]));
      return {
        type: 'bar',
        name,
        barMaxWidth: 22,
        data: categories.map((category) => values.get(category) ?? '-'),
        label: { show: true, position: 'right', color: INK, formatter: ({ value }) => formatNumber(Number(value)) },
      };
    }),
  };
}

function lineOptions({ x, y, series }: Chart): echarts.EChartsOption {
  return {
    xAxis: { ...axis(x), type: x.log ? 'log' : 'value', axisLabel: { color: INK, formatter: (value: number) => formatSize(value) } },
    yAxis: { ...axis(y), type: y.log ? 'log' : 'value' },
    series: series.map(({ name, points, dashed = false }) => ({
      type: 'line',
      name,
      data: points.map(([at, value]) => [at, value]),
      symbol: dashed ? 'none' : 'circle',
      symbolSize: 7,
      lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
      ...(dashed && { color: PALE }),
    })),
  };
}

function axis({ label }: Chart['x']) {
  return {
    name: label,
    nameLocation: 'middle' as const,
    nameGap: 32,
    nameTextStyle: { color: INK },
    axisLabel: { color: INK },
    splitLine: { lineStyle: { color: '#e6e8eb' } },
  };
}

/** ECharts numbers drawings and styles of hovering across the process: without these, a chart does not depend on those drawn before. */
function stable(svg: string): string {
  return `${svg
    .replaceAll(/ class="zr\d+-cls-\d+"/g, '')
    .replaceAll(/<style[\s\S]*?<\/style>\n?/g, '')
    .replaceAll(/\bzr\d+-/g, 'chart-')
    .trim()}\n`;
}
