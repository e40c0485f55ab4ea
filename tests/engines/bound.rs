//! Inputs and outputs that stay where they are, as on a GPU: the same answers as from tensors that are handed over.

use super::*;

fn bound_options() -> EngineOptions {
    EngineOptions { provider_options: vec![("bind".into(), "1".into())], ..options() }
}

#[test]
fn bound_tensors_give_the_same() {
    let _one = one_at_a_time();
    let open = |model: &ModelSource, dims, options: &EngineOptions| {
        engine::open(Provider::Cpu, model, Some(dims), options)
    };
    let halves = |tensor: Tensor| {
        let Samples::F32(samples) = tensor.samples else { unreachable!() };
        let samples = samples.into_iter().map(f16::from_f32).collect();
        Tensor { samples: Samples::F16(samples), ..tensor }
    };
    let [i, o] = same(F32, "3");
    let nearest = Net::default().nearest(2.0, "in", "out").source(i, o);
    let weights = noise(3 * 4 * 9);
    let convolution = Net::default()
        .conv(F32, "in", "out", [3, 4], &weights)
        .source((F32, ["1", "3", "9", "w"]), (F32, ["1", "4", "9", "w"]));
    let [i, o] = same(DataType::FLOAT16, "3");
    let half = Net::default().nearest(2.0, "in", "out").source(i, o);
    let picture = |dims| picture(dims, Layout::Nchw);
    let cases = [
        (&nearest, picture([2, 3, 5, 4])),
        (&convolution, picture([1, 3, 9, 7])),
        (&half, halves(picture([1, 3, 6, 2]))),
    ];
    for (model, input) in cases {
        let mut plain = match open(model, input.dims(), &options()) {
            Err(e @ EngineError::Library { .. }) => return skip!("cpu: {e}"),
            opened => opened.unwrap(),
        };
        let mut bound = open(model, input.dims(), &bound_options()).unwrap();
        let nothing = Tensor::zeros(input.shape, input.layout, input.element());
        for input in [&input, &nothing, &input] {
            let (a, b) = (run(&mut *plain, input), run(&mut *bound, input));
            assert_eq!((a.shape, a.samples), (b.shape, b.samples));
        }
        let small = Tensor::zeros(Shape { width: 1, ..input.shape }, input.layout, input.element());
        let mut output = empty(Layout::Nchw);
        let error = bound.run(&small, &mut output, &Cancel::new()).unwrap_err().to_string();
        assert!(error.contains("are bound"), "{error}");
    }
}

/// A run that is left behind, and another after it. The first one, which a device records, goes to its end all the same.
#[test]
fn bound_tensors_are_let_go() {
    let _one = one_at_a_time();
    let input = picture([1, 1, 512, 512], Layout::Nchw);
    let model = models::heavy(6);
    let open = || engine::open(Provider::Cpu, &model, Some(input.dims()), &bound_options());
    let mut whole = match open() {
        Err(e @ EngineError::Library { .. }) => return skip!("cpu: {e}"),
        opened => opened.unwrap(),
    };
    let expected = run(&mut *whole, &input).samples;
    for mut engine in [whole, open().unwrap()] {
        // A run may end before it is cancelled.
        let after = Duration::from_millis(20);
        assert!((0..10).any(|_| super::cancelled_run(&mut *engine, &input, after).is_some()));
        assert_eq!(run(&mut *engine, &input).samples, expected);
    }
}
