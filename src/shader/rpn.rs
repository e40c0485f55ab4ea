//! Sizes and conditions: expressions in reverse Polish notation, as in mpv's manual (`--glsl-shaders`).
//!
//! `HOOKED.w 2 *` is twice the hooked texture's width. Operators are told by their first character alone, so `==` is `=`.

/// Most tokens of an expression; libplacebo's limit, mpv's is half of it.
const MAX_TOKENS: usize = 64;

/// An expression that leaves one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Vec<Token>);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f32),
    /// Width or height of a texture.
    Size(String, Axis),
    /// A parameter, or a member of an enumeration.
    Name(String),
    Not,
    Binary(Binary),
}

/// A texture's width or height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Columns.
    Width,
    /// Rows.
    Height,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Greater,
    Less,
    Equal,
}

/// What names in an expression stand for.
pub trait Names {
    /// Width or height of texture `name` in pixels.
    fn size(&self, name: &str, axis: Axis) -> Option<f32>;
    /// Value of parameter or enumeration member `name`.
    fn value(&self, name: &str) -> Option<f32>;
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoValue {
    /// A name that stands for nothing at this point of the frame.
    #[error("nothing is called {0} here")]
    Unknown(String),
    /// A division by zero, or an overflow.
    #[error("it has no finite value")]
    NotFinite,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut depth = 0_usize;
        for word in text.split_ascii_whitespace() {
            if tokens.len() == MAX_TOKENS {
                return Err(format!("is longer than {MAX_TOKENS} words"));
            }
            let token = Token::parse(word)?;
            let (taken, given) = token.arity();
            let left = depth.checked_sub(taken);
            depth = left.ok_or_else(|| format!("has nothing for '{word}' to work on"))? + given;
            tokens.push(token);
        }
        match depth {
            1 => Ok(Self(tokens)),
            0 => Err("is empty".into()),
            _ => Err(format!("leaves {depth} numbers instead of one")),
        }
    }

    /// Its value.
    ///
    /// # Errors
    /// [`NoValue`].
    pub fn evaluate(&self, names: &impl Names) -> Result<f32, NoValue> {
        let mut stack = Vec::with_capacity(self.0.len());
        for token in &self.0 {
            let value = match token {
                Token::Number(value) => *value,
                Token::Size(name, axis) => {
                    names.size(name, *axis).ok_or_else(|| NoValue::Unknown(name.clone()))?
                }
                Token::Name(name) => {
                    names.value(name).ok_or_else(|| NoValue::Unknown(name.clone()))?
                }
                Token::Not => f32::from(u8::from(stack.pop() == Some(0.0))),
                Token::Binary(operator) => {
                    let (Some(b), Some(a)) = (stack.pop(), stack.pop()) else {
                        return Err(NoValue::NotFinite);
                    };
                    operator.of(a, b)
                }
            };
            if !value.is_finite() {
                return Err(NoValue::NotFinite);
            }
            stack.push(value);
        }
        stack.pop().ok_or(NoValue::NotFinite)
    }

    /// Names of textures whose size it asks for.
    pub fn textures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|token| match token {
            Token::Size(name, _) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Token {
    fn parse(word: &str) -> Result<Self, String> {
        for (suffixes, axis) in [([".w", ".width"], Axis::Width), ([".h", ".height"], Axis::Height)]
        {
            if let Some(name) = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)) {
                return Ok(Self::Size(name.into(), axis));
            }
        }
        let first = word.chars().next().unwrap_or_default();
        Ok(match first {
            '!' => Self::Not,
            '+' => Self::Binary(Binary::Add),
            '-' => Self::Binary(Binary::Subtract),
            '*' => Self::Binary(Binary::Multiply),
            '/' => Self::Binary(Binary::Divide),
            '%' => Self::Binary(Binary::Remainder),
            '>' => Self::Binary(Binary::Greater),
            '<' => Self::Binary(Binary::Less),
            '=' => Self::Binary(Binary::Equal),
            '0'..='9' => match word.parse() {
                Ok(value) => Self::Number(value),
                Err(_) => return Err(format!("has '{word}', which is no number")),
            },
            'a'..='z' | 'A'..='Z' | '_' => Self::Name(word.into()),
            _ => return Err(format!("has '{word}', which is no number, size, name or operator")),
        })
    }

    /// Numbers taken from the stack, and put on it.
    const fn arity(&self) -> (usize, usize) {
        match self {
            Self::Number(_) | Self::Size(..) | Self::Name(_) => (0, 1),
            Self::Not => (1, 1),
            Self::Binary(_) => (2, 1),
        }
    }
}

impl Binary {
    fn of(self, a: f32, b: f32) -> f32 {
        let truth = |yes: bool| f32::from(u8::from(yes));
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Remainder => a % b,
            Self::Greater => truth(a > b),
            Self::Less => truth(a < b),
            // mpv compares exactly, libplacebo to one part in a million; sizes are whole numbers, so that is the same.
            Self::Equal => truth((a - b).abs() <= 1e-6 * a.abs().max(b.abs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Names for Fixed {
        fn size(&self, name: &str, axis: Axis) -> Option<f32> {
            (name == "HOOKED").then_some(if axis == Axis::Width { 640.0 } else { 360.0 })
        }

        fn value(&self, name: &str) -> Option<f32> {
            (name == "strength").then_some(0.5)
        }
    }

    fn value(text: &str) -> Result<f32, NoValue> {
        Expression::parse(text).unwrap().evaluate(&Fixed)
    }

    #[test]
    fn operators_work_in_order() {
        assert_eq!(value("HOOKED.w 2 *"), Ok(1280.0));
        assert_eq!(value("HOOKED.height HOOKED.width /"), Ok(0.5625));
        assert_eq!(value("7 4 %  3 -"), Ok(0.0));
        assert_eq!(value("1 2 < 2 1 > + 3 3 == +"), Ok(3.0));
        assert_eq!(value("0 ! 5 ! +"), Ok(1.0));
        assert_eq!(value("strength"), Ok(0.5));
    }

    #[test]
    fn what_has_no_value_says_why() {
        assert_eq!(value("LUMA.w"), Err(NoValue::Unknown("LUMA".into())));
        assert_eq!(value("1 0 /"), Err(NoValue::NotFinite));
    }

    #[test]
    fn bad_expressions_are_refused() {
        let bad = |text: &str| Expression::parse(text).unwrap_err();
        assert_eq!(bad(""), "is empty");
        assert_eq!(bad("1 +"), "has nothing for '+' to work on");
        assert_eq!(bad("1 2"), "leaves 2 numbers instead of one");
        assert_eq!(bad("1x"), "has '1x', which is no number");
        assert_eq!(bad("(1)"), "has '(1)', which is no number, size, name or operator");
        assert_eq!(bad(&"1 ".repeat(65)), "is longer than 64 words");
    }
}
