//! Values that Python's fastavro 1.13 wrote, with which Confluent's Python client serialises.

use super::json;

struct PythonCase {
    name: &'static str,
    schema: &'static str,
    /// In hexadecimal.
    payload: &'static str,
    json: &'static str,
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn what_python_wrote() {
    for case in CASES {
        let text = json(case.schema, &from_hex(case.payload));
        assert_eq!(text.as_deref(), Ok(case.json), "{}", case.name);
    }
}

const CASES: &[PythonCase] = &[
    PythonCase {
        name: "order",
        schema: r#"{"type":"record","name":"Order","namespace":"com.shop","fields":[{"name":"id","type":"long"},{"name":"customer","type":["null","string"],"default":null},{"name":"note","type":["null","string"],"default":null},{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},{"name":"vat","type":{"type":"fixed","name":"Vat","size":6,"logicalType":"decimal","precision":10,"scale":4}},{"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"opened","type":{"type":"int","logicalType":"time-millis"}},{"name":"closed","type":{"type":"long","logicalType":"time-micros"}},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"at6","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"local","type":{"type":"long","logicalType":"local-timestamp-micros"}},{"name":"ref","type":{"type":"string","logicalType":"uuid"}},{"name":"state","type":{"type":"enum","name":"State","symbols":["OPEN","PAID"]}},{"name":"raw","type":"bytes"},{"name":"mac","type":{"type":"fixed","name":"Mac","size":4}},{"name":"ratio","type":"float"},{"name":"weight","type":"double"},{"name":"gift","type":"boolean"}]}"#,
        payload: "828080808080802002125a6fc3ab20225a220a0006fe1dc600000000076cd0be02f694d75080c1fba8f604f694\
             dac9c7660182b8a4e8979fa1064831323334353637382d313233342d353637382d313233342d35363738313233\
             3435363738020600ff1001020304cdcccc3d000000000000008001",
        json: r#"{"id":9007199254740993,"customer":"Zoë \"Z\"\n","note":null,"total":-1234.50,"vat":0.1900,"day":"2025-10-31","opened":"23:30:00.123","closed":"23:30:00.123456","at":"2025-10-31T23:30:00.123Z","at6":"1969-12-31T23:59:59.999999Z","local":"2025-10-31T23:30:00.000001","ref":"12345678-1234-5678-1234-567812345678","state":"PAID","raw":"AP8Q","mac":"AQIDBA==","ratio":0.1,"weight":-0.0,"gift":true}"#,
    },
    PythonCase {
        name: "recursive",
        schema: r#"{"type":"record","name":"Tree","fields":[{"name":"name","type":"string"},{"name":"children","type":{"type":"array","items":"Tree"}},{"name":"parent","type":["null","Tree"]}]}"#,
        payload: "0261040262000002630002026400000000",
        json: r#"{"name":"a","children":[{"name":"b","children":[],"parent":null},{"name":"c","children":[],"parent":{"name":"d","children":[],"parent":null}}],"parent":null}"#,
    },
    PythonCase {
        name: "union",
        schema: r#"["null",{"type":"record","name":"Login","namespace":"ev","fields":[{"name":"user","type":"string"}]},{"type":"record","name":"Logout","namespace":"ev","fields":[{"name":"after","type":["int","long","double","string"]},{"name":"by","type":["null","ev.Login"]}]}]"#,
        payload: "04060a6e657665720204c3bc",
        json: r#"{"after":"never","by":{"user":"ü"}}"#,
    },
    PythonCase {
        name: "maps",
        schema: r#"{"type":"record","name":"R","fields":[{"name":"m","type":{"type":"map","values":{"type":"array","items":["null","long"]}}},{"name":"e","type":{"type":"map","values":"string"}}]}"#,
        payload: "040261060202000201000262000000",
        json: r#"{"m":{"a":[1,null,-1],"b":[]},"e":{}}"#,
    },
    PythonCase {
        name: "ksqldb",
        schema: r#"{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[{"name":"NB","type":["null","long"],"default":null},{"name":"PRICE","type":["null",{"type":"bytes","scale":2,"precision":6,"connect.version":1,"connect.parameters":{"scale":"2","connect.decimal.precision":"6"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"default":null},{"name":"AT","type":["null",{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}],"default":null},{"name":"M","type":["null",{"type":"array","items":{"type":"record","name":"KsqlDataSourceSchema_M","fields":[{"name":"key","type":["null","string"],"default":null},{"name":"value","type":["null","int"],"default":null}],"connect.internal.type":"MapEntry"}}],"default":null}]}"#,
        payload: "0206020403de02c0bab7fef962020402027802020202790000",
        json: r#"{"NB":3,"PRICE":9.90,"AT":"2023-11-14T22:15:00.000Z","M":{"x":1,"y":null}}"#,
    },
];
