namespace Couic.Store;

/// <summary>One change of a swap, in four bytes: there are as many as entries.</summary>
internal readonly struct SetSwapStep
{
    /// <summary>Nothing is to be done: somebody else has made the entry that was to go their own.</summary>
    public static readonly SetSwapStep None = new(int.MinValue);

    private readonly int _number;

    private SetSwapStep(int number) => _number = number;

    /// <summary>Whether the entry goes; else a network of the image comes, or takes over what is there.</summary>
    public bool Removes => _number < 0;

    public bool IsNone => _number == int.MinValue;

    /// <summary>Slot of the entry that goes.</summary>
    public int Slot => ~_number;

    /// <summary>Place in the image.</summary>
    public int Rule => _number >> 1;

    /// <summary>Whether something stood there already. Only known for certain once the step is done.</summary>
    public bool TakesOver => (_number & 1) != 0;

    public static SetSwapStep Want(int rule, bool takesOver) => new((rule << 1) | (takesOver ? 1 : 0));

    public static SetSwapStep Remove(int slot) => new(~slot);
}
