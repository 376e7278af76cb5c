//! The fixed lists the generator draws from: people, places, goods. Accents, quotes and characters beyond the BMP
//! are there on purpose: they are what breaks pipelines.

pub(crate) const USERS: u64 = 400;

pub(crate) const FIRST_NAMES: [&str; 20] = [
    "Zoé",
    "Chloé",
    "François",
    "Anaïs",
    "Noël",
    "Inès",
    "Jürgen",
    "Søren",
    "José",
    "Maëlys",
    "Élodie",
    "Łukasz",
    "Björn",
    "Renée",
    "Aïcha",
    "Thomas",
    "Sofía",
    "Nuño",
    "Mary",
    "雪",
];

pub(crate) const LAST_NAMES: [&str; 19] = [
    "Hébert",
    "Lefèvre",
    "Müller",
    "Nguyễn",
    "García",
    "O'Connor",
    "Dupont",
    "D'Angelo",
    "Şahin",
    "Bérubé",
    "Kowalczyk",
    "Ångström",
    "Fernández",
    "Smith",
    "N'Diaye",
    "Çelik",
    "Besançon",
    "𠮷田",
    "Lœuillet",
];

/// Where users live. The country's name decides TRANSACTIONS_HORS_UE, some cities decide TRANSACTIONS_BLACKLISTED.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) country: &'static str,
    pub(crate) postal_code: &'static str,
    pub(crate) currency: Currency,
}

/// A currency and what one unit of it is worth, in millionths of a US dollar. Fixed: a rate that moved would make
/// two seeded runs differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Currency {
    pub(crate) code: &'static str,
    pub(crate) usd_millionths: i128,
}

const fn currency(code: &'static str, usd_millionths: i128) -> Currency {
    Currency { code, usd_millionths }
}

const BRL: Currency = currency("BRL", 185_000);
const CAD: Currency = currency("CAD", 714_000);
const CHF: Currency = currency("CHF", 1_243_000);
const EUR: Currency = currency("EUR", 1_157_000);
const GBP: Currency = currency("GBP", 1_318_000);
const JPY: Currency = currency("JPY", 6_500);
const MOP: Currency = currency("MOP", 124_900);
const PLN: Currency = currency("PLN", 272_000);
const SEK: Currency = currency("SEK", 105_300);
const USD: Currency = currency("USD", 1_000_000);
const XOF: Currency = currency("XOF", 1_764);

const fn city(
    name: &'static str,
    country: &'static str,
    postal_code: &'static str,
    currency: Currency,
) -> City {
    City {
        name,
        country,
        postal_code,
        currency,
    }
}

pub(crate) const CITIES: [City; 20] = [
    city("Orléans", "France", "45000", EUR),
    city("Paris", "France", "75011", EUR),
    city("Besançon", "France", "25000", EUR),
    city("Nîmes", "France", "30000", EUR),
    city("Saint-Étienne", "France", "42000", EUR),
    city("Liège", "Belgique", "4000", EUR),
    city("Köln", "Allemagne", "50667", EUR),
    city("Málaga", "Espagne", "29001", EUR),
    city("Łódź", "Pologne", "90-001", PLN),
    city("Göteborg", "Suède", "411 03", SEK),
    city("Genève", "Suisse", "1201", CHF),
    city("Montréal", "Canada", "H2Y 1C6", CAD),
    city("Londres", "Royaume-Uni", "E1 6AN", GBP),
    city("New York", "États-Unis", "10001", USD),
    city("São Paulo", "Brésil", "01001-000", BRL),
    city("Dakar", "Sénégal", "12500", XOF),
    city("東京", "Japon", "100-0001", JPY),
    city("Abidjan", "Côte d'Ivoire", "00225", XOF),
    city("Macao", "Chine", "999078", MOP),
    city("Panamá", "Panama", "0801", USD),
];

/// What is sold, with its category and its price in US cents.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) usd_cents: i128,
}

const fn product(name: &'static str, category: &'static str, usd_cents: i128) -> Product {
    Product {
        name,
        category,
        usd_cents,
    }
}

pub(crate) const PRODUCTS: [Product; 24] = [
    product("Café moulu 1 kg", "Épicerie", 1490),
    product("Thé vert 🍵 «matcha»", "Épicerie", 2250),
    product("Huile d'olive 75 cl", "Épicerie", 995),
    product("Miel de châtaignier", "Épicerie", 1230),
    product("Écran 27\" 4K", "Électronique", 32999),
    product("Casque audio 🎧", "Électronique", 14900),
    product("Clé USB 128 Go", "Électronique", 1799),
    product("Souris sans fil", "Électronique", 2999),
    product("Téléphone 5G", "Électronique", 69900),
    product("Vélo pliant 🚲", "Sport", 54950),
    product("Tapis de yoga", "Sport", 2490),
    product("Ballon n° 5", "Sport", 1999),
    product("Chaussures de randonnée", "Sport", 11990),
    product("«L'Étranger», A. Camus", "Livres", 780),
    product("Atlas des forêts", "Livres", 3950),
    product("Dictionnaire français-日本語", "Livres", 2890),
    product("Manteau d'hiver", "Vêtements", 12900),
    product("Écharpe en laine", "Vêtements", 3490),
    product("Bébé: pyjama 6 mois", "Vêtements", 1650),
    product("Lampe de chevet", "Maison", 2795),
    product("Poêle Ø 28 cm", "Maison", 3630),
    product("Jeu d'échecs", "Jouets", 4210),
    product("Puzzle 1 000 pièces", "Jouets", 1585),
    product("Forfait Médiathèque \\ an", "Services", 6000),
];

pub(crate) const STREETS: [&str; 10] = [
    "rue de l'Évêché",
    "avenue Jean-Jaurès",
    "place du Marché",
    "boulevard Voltaire",
    "Königstraße",
    "calle Peñón",
    "chemin des Écoliers, bât. \"B\"",
    "rue Saint-Honoré",
    "Main Street",
    "quai de la Fosse\tporte 3",
];

pub(crate) const PAYMENT_METHODS: [&str; 6] = [
    "credit_card",
    "debit_card",
    "paypal",
    "bank_transfer",
    "apple_pay",
    "espèces",
];

pub(crate) const DEVICES: [&str; 5] = ["Android", "iPhone", "Windows", "macOS", "guichet n° 7 🏦"];

pub(crate) const DISCOUNT_CODES: [&str; 4] = ["BIENVENUE10", "ÉTÉ25", "NOËL2025", "FIDÉLITÉ-5"];
