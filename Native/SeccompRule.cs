namespace Couic.Native;

/// <summary>
/// A system call that a <see cref="SeccompFilter"/> lets through: always, or when the lower 32 bits of one of its arguments pass a
/// test (which is all that the kernel reads of the arguments tested here).
/// </summary>
internal sealed record SeccompRule(string Call, SeccompTest Test, int Argument, uint[] Values)
{
    public static SeccompRule Always(string call) => new(call, SeccompTest.None, 0, []);

    /// <summary>Argument <paramref name="argument"/>, counted from 0, is one of the values.</summary>
    public static SeccompRule OneOf(string call, int argument, params uint[] values) => new(call, SeccompTest.OneOf, argument, values);

    /// <summary>The argument has at least one of the bits.</summary>
    public static SeccompRule With(string call, int argument, uint bits) => new(call, SeccompTest.With, argument, [bits]);

    /// <summary>The argument has none of the bits.</summary>
    public static SeccompRule Without(string call, int argument, uint bits) => new(call, SeccompTest.Without, argument, [bits]);
}

/// <summary>What a <see cref="SeccompRule"/> asks of an argument.</summary>
internal enum SeccompTest
{
    None,
    OneOf,
    With,
    Without,
}
