// What a board's JSON must be: Grafana's published types, with the places filled in that they leave to plugins.
// board.schema.json is made of it, of @grafana/schema 11.6.0 beside it in node_modules, without the descriptions:
//   npx ts-json-schema-generator@2.3.0 --path board.ts --type Board --no-type-check
import {
  AnnotationQuery, Dashboard, DataSourceRef, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel,
} from './node_modules/@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen';
import { Options as StatOptions } from './node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import {
  FieldConfig as TableFields, Options as TableOptions,
} from './node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import {
  FieldConfig as SeriesFields, Options as SeriesOptions,
} from './node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// A raw query of the ClickHouse plugin, as it stores one since its version 4.
type Query = {
  datasource: Required<DataSourceRef>; editorType: 'sql'; format: 0 | 1; meta: {}; pluginVersion: string;
  queryType: 'timeseries' | 'table'; rawSql: string; refId: string;
};
type Fields<F> = Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<F> } };
type Of<T extends string, O, F> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'> & {
  type: T; options?: Partial<O>; fieldConfig?: Fields<F>; targets: Query[]; datasource: Required<DataSourceRef>;
};
// Published for annotations of Grafana itself only ("this should be a regular DataQuery").
type Annotation = Omit<AnnotationQuery, 'target'> & { target: Query };
// The SDK writes what intervals have of every variable; Grafana reads past it.
type Variable = VariableModel & { auto?: boolean; auto_min?: string; auto_count?: number };

export type Board = Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & {
  annotations: { list: Annotation[] };
  panels: Array<
    RowPanel | Of<'stat', StatOptions, {}> | Of<'table', TableOptions, TableFields>
    | Of<'timeseries', SeriesOptions, SeriesFields>
  >;
  templating: { list: Variable[] };
};
