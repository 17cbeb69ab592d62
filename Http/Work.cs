namespace Couic.Http;

/// <summary>
/// What a request does away from the event loop. A few requests of each kind at a time: the event loop, whose clients wait for a hundred times
/// less, needs a processor too, and a burst of one kind keeps no other from going on.
/// </summary>
internal enum Work
{
    /// <summary>Computes for milliseconds: statistics, status, a page of a list.</summary>
    Brief,

    /// <summary>Computes for as long as its list or its body is.</summary>
    Long,

    /// <summary>Waits, for the disk or for a lock that is held for long, more than it computes.</summary>
    Waiting,
}
