-- The README's example of a new topic: transactions whose country is not in the European Union.
SET 'auto.offset.reset' = 'earliest';

CREATE STREAM IF NOT EXISTS TRANSACTIONS_HORS_UE
WITH (KAFKA_TOPIC = 'TRANSACTIONS_HORS_UE', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT *
FROM TRANSACTIONS_FLAT
WHERE COUNTRY NOT IN (
  'Allemagne', 'Autriche', 'Belgique', 'Bulgarie', 'Chypre', 'Croatie', 'Danemark', 'Espagne', 'Estonie',
  'Finlande', 'France', 'Grèce', 'Hongrie', 'Irlande', 'Italie', 'Lettonie', 'Lituanie', 'Luxembourg', 'Malte',
  'Pays-Bas', 'Pologne', 'Portugal', 'Roumanie', 'Slovaquie', 'Slovénie', 'Suède', 'Tchéquie'
)
EMIT CHANGES;
