// The dashboards' types: Grafana's own, with enums as the values that JSON has, and the panels that we use.
import type { Dashboard, FieldConfig, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from '@grafana/schema';
import type { Options as BarGauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as Series } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends readonly (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

type Target = {
  refId: string; datasource: { type: 'prometheus'; uid: string }; editorMode: 'code'; expr: string; legendFormat: string;
  range: boolean; instant: boolean; format: 'time_series' | 'table';
};
type Of<Type extends string, Options, Custom> = Omit<Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> & {
  type: Type; title: string; description: string; options: Options; targets: Target[];
  fieldConfig: { defaults: Omit<FieldConfig, 'custom' | 'unit'> & { unit: string; custom?: Custom }; overrides: [] };
};
export type AnyPanel = Plain<
  | Of<'timeseries', Series, GraphFieldConfig> | Of<'stat', Stat, never> | Of<'bargauge', BarGauge, never>
  | Of<'table', Table, TableFieldOptions> | RowPanel
>;
export type AnyDashboard = Plain<Omit<Dashboard, 'panels'>> & { panels: AnyPanel[] };
